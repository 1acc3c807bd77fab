package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"

	"github.com/d--j/go-milter"
)

// The bench runs itself again for what must be a process of its own, so that its processor time can be told apart.
const roleVariable = "GATEPOST_BENCH_ROLE"

var roles = map[string]func(){"floor": serveFloor, "import": importOne}

// serveFloor is the least that a milter can do with the library: it is told everything and answers only the end of message.
func serveFloor() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: floor:", err)
		os.Exit(2)
	}
	fmt.Println(listener.Addr())
	server := milter.NewServer(
		milter.WithMilter(func() milter.Milter { return floorMilter{} }),
		milter.WithProtocol(milter.OptNoReplies|milter.OptHeaderLeadingSpace),
	)
	server.Serve(listener)
}

type floorMilter struct{ milter.NoOpMilter }

func (floorMilter) EndOfMessage(milter.Modifier) (*milter.Response, error) {
	return milter.RespAccept, nil
}

// startFloor gives the running process and where it listens, as its first line of output says.
func startFloor() (*exec.Cmd, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleVariable+"=floor")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	return cmd, strings.TrimSpace(address), err
}
