// Package pgtest gives tests a PostgreSQL server of their own: on the disk as a real one is, reached by a port of loopback, and gone when
// the test program ends, however it ends.
//
//	address := pgtest.Database(t) // an empty database on a server that all tests of the program share
//
//	s := pgtest.New(t) // a server for this test alone
//	s.Kill()           // as kill -9 does
//	s.Start(t)         // the same data on the same port
//
// It takes PostgreSQL's programs from pg_config --bindir, or from where Debian installs them. Without them a test fails.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A Server is a PostgreSQL server. Its superuser is postgres, who needs no password; see [Server.Role] for one who does.
type Server struct {
	dir  string
	port int

	databases atomic.Int64 // made so far

	mu    sync.Mutex
	free  []string       // databases that no test has
	stdin io.WriteCloser // of the shell around the server
	ended chan struct{}
}

var (
	shared     *Server
	sharedErr  error
	sharedOnce sync.Once
)

// Database gives the address of an empty database on the server that the test program shares. It is the test's until that ends.
func Database(t testing.TB) string {
	t.Helper()
	return Shared(t).Database(t)
}

// Shared is the server of the test program, which is started when it is first asked for. Leave it running.
func Shared(t testing.TB) *Server {
	t.Helper()
	sharedOnce.Do(func() { shared, sharedErr = Begin("") })
	if sharedErr != nil {
		t.Fatal(sharedErr)
	}
	return shared
}

// New starts a server that is stopped when the test ends.
func New(t testing.TB) *Server {
	t.Helper()
	s, err := Begin("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Remove)
	return s
}

// Address is that of a database of the server, for a user: "postgres" is its superuser.
func (s *Server) Address(user, database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s", user, s.port, database)
}

// Make makes an empty database and gives its address.
func (s *Server) Make(ctx context.Context, name string) (string, error) {
	return s.Address("postgres", name), s.exec(ctx, "postgres", "CREATE DATABASE "+name)
}

// Port is where the server listens, on 127.0.0.1.
func (s *Server) Port() int { return s.port }

// Database gives the address of an empty database, which is the test's until it ends.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	s.mu.Lock()
	name := ""
	if n := len(s.free); n > 0 {
		name, s.free = s.free[n-1], s.free[:n-1]
	}
	s.mu.Unlock()
	if name == "" {
		name = fmt.Sprintf("test%d", s.databases.Add(1))
		s.Exec(t, "postgres", "CREATE DATABASE "+name)
	}
	t.Cleanup(func() { s.empty(name) })
	return s.Address("postgres", name)
}

// empty makes a database fit for another test: to drop it would take several times as long, since PostgreSQL writes everything to the
// disk before that.
func (s *Server) empty(name string) {
	err := s.exec(context.Background(), name,
		"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
		"DROP SCHEMA IF EXISTS public CASCADE", "CREATE SCHEMA public AUTHORIZATION pg_database_owner", "GRANT USAGE ON SCHEMA public TO PUBLIC")
	if err == nil { // the server may be gone
		s.mu.Lock()
		s.free = append(s.free, name)
		s.mu.Unlock()
	}
}

// Role makes a user with a password, who must give it.
func (s *Server) Role(t testing.TB, name, password string) {
	t.Helper()
	s.Exec(t, "postgres", fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s' IN ROLE secret", name, password))
}

// Exec runs statements in a database, as the superuser.
func (s *Server) Exec(t testing.TB, database string, statements ...string) {
	t.Helper()
	if err := s.exec(t.Context(), database, statements...); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) exec(ctx context.Context, database string, statements ...string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.Address("postgres", database)+"?connect_timeout=10")
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// Kill ends the server at once, as kill -9 or a loss of power to the program does.
func (s *Server) Kill() {
	if p, err := os.FindProcess(s.PID()); err == nil {
		_ = p.Kill()
	}
	s.end()
}

// Remove stops the server and deletes all that it has.
func (s *Server) Remove() {
	s.end()
	os.RemoveAll(s.dir)
}

// Dir is where the server has its files: data/base are those of its databases, data/pg_wal its log.
func (s *Server) Dir() string { return s.dir }

// end tells the shell around the server to end it, and waits for that.
func (s *Server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stdin != nil {
		_, _ = io.WriteString(s.stdin, "end\n") // it may have ended
		<-s.ended
		s.stdin.Close()
		s.stdin = nil
	}
}

// Start starts a server that was stopped or killed, with the data that it has, on the port that it had.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// PID is the process of the server, whose children are those that work.
func (s *Server) PID() int {
	text, err := os.ReadFile(filepath.Join(s.dir, "data", "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(first)
	return pid
}

// Begin makes a server and starts it, for a program that is no test. Its postgresql.conf ends with more.
func Begin(more string) (*Server, error) {
	dir, err := os.MkdirTemp("", "pg") // short: a socket's path must be
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir}
	if err := s.make(more); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	if err := s.start(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return s, s.exec(context.Background(), "postgres", "CREATE ROLE secret")
}

// What a server of a test needs beside its defaults. It writes to the disk when it says that it did.
const settings = `
listen_addresses = '127.0.0.1'
max_connections = 300
shared_buffers = 64MB
wal_buffers = 16MB
autovacuum_naptime = 10min
log_min_messages = warning
`

// Members of the role secret need their password.
const access = `
local all all trust
host all +secret 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
`

func (s *Server) make(more string) error {
	if os.Geteuid() == 0 {
		if out, err := exec.Command("chown", "postgres:", s.dir).CombinedOutput(); err != nil {
			return fmt.Errorf("pgtest: there is no user postgres: %s", out)
		}
	}
	data := filepath.Join(s.dir, "data")
	initdb := s.command("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("pgtest: initdb: %w\n%s", err, out)
	}
	// The port is free now, and is asked for before anybody else takes it.
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	s.port = l.Addr().(*net.TCPAddr).Port
	text := settings + fmt.Sprintf("port = %d\nunix_socket_directories = '%s'\n", s.port, s.dir) + more
	f, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close(), os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(access), 0o600))
}

// supervise runs a server until it is told a word. When the test program ends, however it does, there comes none, and nobody else would
// stop the server and take away its files.
const supervise = `
exec 3<&0
"$@" </dev/null >>"$0/log" 2>&1 3<&- &
server=$!
{ read -r word <&3 || touch "$0/abandoned"; kill -INT $server; } </dev/null >/dev/null 2>&1 &
wait $server
kill $! 2>/dev/null
if test -e "$0/abandoned"; then rm -rf "$0"; fi
`

func (s *Server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for range 50 { // until what is left of one that was killed is gone
		if err = s.launch(); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return fmt.Errorf("pgtest: %w\n%s", err, log)
}

func (s *Server) launch() error {
	shell := s.wrap("sh", "-c", supervise, s.dir, program("postgres"), "-D", filepath.Join(s.dir, "data"))
	stdin, err := shell.StdinPipe()
	if err != nil {
		return err
	}
	if err := shell.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = shell.Wait()
	}()
	for {
		if err := s.exec(context.Background(), "postgres", "SELECT 1"); err == nil {
			s.stdin, s.ended = stdin, ended
			return nil
		}
		select {
		case <-ended:
			return errors.New("the server does not start")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// command is one of PostgreSQL's programs.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	return s.wrap(append([]string{program(name)}, args...)...)
}

// wrap runs a command as the user postgres, where we are root: PostgreSQL refuses to run as that.
func (s *Server) wrap(args ...string) *exec.Cmd {
	if os.Geteuid() == 0 {
		args = append([]string{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC", "HOME="+s.dir)
	return cmd
}

// program is the path of one of PostgreSQL's programs.
func program(name string) string {
	if installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); len(installed) > 0 {
		return installed[len(installed)-1]
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		return filepath.Join(strings.TrimSpace(string(out)), name)
	}
	return name
}
