//go:build linux

package packaging

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var units = []string{"gatepost.service", "gatepost.socket", "gatepost-postfix.socket"}

func TestSystemdTakesTheUnits(t *testing.T) {
	need(t, "systemd", "systemd-analyze")
	dir := t.TempDir()
	for _, unit := range units {
		text := read(t, "packaging/systemd", unit)
		// systemd looks for the programs, which the package would put there.
		text = strings.ReplaceAll(text, "/usr/bin/gatepost ", "/bin/true ")
		if err := os.WriteFile(filepath.Join(dir, unit), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("systemd-analyze", append([]string{"verify", "--man=no"}, units...)...)
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil || bytes.Contains(out.Bytes(), []byte("gatepost")) {
		t.Errorf("%v\n%s", err, &out)
	}
}

func TestServiceIsSandboxed(t *testing.T) {
	need(t, "systemd", "systemd-analyze")
	const mostExposure = "15" // 1.5 of 10; what is left is the network, and the host's root that it may read
	cmd := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+mostExposure,
		filepath.Join(root, "packaging/systemd/gatepost.service"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	service := read(t, "packaging/systemd/gatepost.service")
	for _, line := range []string{
		"DynamicUser=yes", "CapabilityBoundingSet=", "ProtectSystem=strict", "SystemCallFilter=@system-service", "NoNewPrivileges=yes",
		"StateDirectory=gatepost", "Type=notify", "MemoryMax=1G",
	} {
		if !strings.Contains(service, "\n"+line+"\n") {
			t.Errorf("gatepost.service does not say %s", line)
		}
	}
}

func TestSocketsGoByTheNameThatTheGateLooksFor(t *testing.T) {
	for _, unit := range units[1:] {
		text := read(t, "packaging/systemd", unit)
		for _, line := range []string{"FileDescriptorName=milter", "Service=gatepost.service"} {
			if !strings.Contains(text, "\n"+line+"\n") {
				t.Errorf("%s does not say %s", unit, line)
			}
		}
	}
	for _, line := range []string{"SocketGroup=postfix", "SocketMode=0660", "ListenStream=/var/spool/postfix/gatepost/milter"} {
		if !strings.Contains(read(t, "packaging/systemd/gatepost-postfix.socket"), "\n"+line+"\n") {
			t.Errorf("gatepost-postfix.socket does not say %s", line)
		}
	}
}
