package jobs_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/jobs"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/store/pgtest"
)

// The test program is a node itself when these say so: the store, and the file in which a job writes down who does it.
const (
	nodeStore = "GATEPOST_TEST_NODE_STORE"
	nodeFile  = "GATEPOST_TEST_NODE_FILE"
)

func TestMain(m *testing.M) {
	if address := os.Getenv(nodeStore); address != "" {
		if err := beNode(address, os.Getenv(nodeFile)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// beNode has one job, which hangs.
func beNode(address, file string) error {
	ctx := context.Background()
	q, err := store.OpenQueue(ctx, address)
	if err != nil {
		return err
	}
	return jobs.Run(ctx, q, jobs.Options{Poll: 100 * time.Millisecond, Timeout: time.Second, Retry: time.Second, Dead: time.Second, Jobs: []jobs.Job{{
		Name: "hang", Every: time.Hour, Do: func(context.Context) error {
			f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			fmt.Fprintln(f, os.Getpid())
			f.Close()
			select {}
		},
	}}})
}

// startNode starts one; end kills it.
func startNode(t *testing.T, address, file string) (pid string, end func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), nodeStore+"="+address, nodeFile+"="+file)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	t.Cleanup(end)
	return strconv.Itoa(cmd.Process.Pid), end
}

func postgres(t *testing.T) string {
	t.Helper()
	address := pgtest.Database(t)
	s, err := store.Open(t.Context(), address, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return address
}

func TestAJobOfANodeThatWasKilledIsDoneByAnother(t *testing.T) {
	t.Parallel()
	address, file := postgres(t), t.TempDir()+"/done"
	done := func() []string {
		text, _ := os.ReadFile(file)
		return strings.Fields(string(text))
	}
	first, kill := startNode(t, address, file)
	within(t, "the job is done by the first", time.Minute, func() bool { return len(done()) == 1 })
	second, _ := startNode(t, address, file)
	kill()
	within(t, "the job is done by the second", 3*time.Minute, func() bool { return len(done()) == 2 })
	if got := done(); got[0] != first || got[1] != second {
		t.Errorf("done by %v, want by %s and then %s", got, first, second)
	}
}

func TestNodesThatStartAtOnceOnAnEmptyDatabaseAllRun(t *testing.T) {
	t.Parallel()
	address := pgtest.Database(t)
	var done atomic.Int64
	job := jobs.Job{Name: "once", Every: time.Hour, Do: func(context.Context) error { done.Add(1); return nil }}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			s, err := store.Open(ctx, address, store.Options{Create: true})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			q, err := store.OpenQueue(ctx, address)
			if err != nil {
				t.Error(err)
				return
			}
			defer q.Close()
			if err := jobs.Run(ctx, q, jobs.Options{Jobs: []jobs.Job{job}, Poll: 100 * time.Millisecond}); err != nil {
				t.Error(err)
			}
		})
	}
	within(t, "the job is done", time.Minute, func() bool { return done.Load() > 0 })
	time.Sleep(time.Second)
	cancel()
	all.Wait()
	if n := done.Load(); n != 1 {
		t.Errorf("done %d times, want once", n)
	}
}
