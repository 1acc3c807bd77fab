package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/gatepost-mail/gatepost/internal/listen"
)

const (
	maxHeader    = 8 << 10
	readTimeout  = 10 * time.Second
	closeTimeout = 5 * time.Second
)

// Serve answers on a listener of [Listen] until ctx is done, and removes the socket.
func Serve(ctx context.Context, ln net.Listener, h Handler) error {
	server := &http.Server{
		Handler: handler(h), MaxHeaderBytes: maxHeader, ReadTimeout: readTimeout, ErrorLog: log.New(io.Discard, "", 0),
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if server.Shutdown(end) != nil {
			server.Close()
		}
	})
	err := server.Serve(ln)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// An answer is that to a request that changes something.
type answer struct {
	Error string `json:"error"`
}

func handler(h Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, r *http.Request) {
		// Who asked may have gone: a configuration that is half applied would be worse.
		if err := h.Reload(context.WithoutCancel(r.Context())); err != nil {
			reply(w, http.StatusUnprocessableEntity, answer{err.Error()})
			return
		}
		reply(w, http.StatusOK, answer{})
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) { reply(w, http.StatusOK, h.Status(r.Context())) })
	return http.MaxBytesHandler(mux, maxHeader)
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// Listen opens the socket, which nobody but its owner can open at any moment: it is made in a folder that is closed to others, and
// then moved to its place.
func Listen(path string) (net.Listener, error) {
	switch err := listen.Free(path); {
	case err == nil, errors.Is(err, listen.ErrStale): // what is made is moved to its place
	case errors.Is(err, listen.ErrBusy):
		return nil, fmt.Errorf("control socket %s: another gate runs with this state directory: stop it, or give this one a state_dir of its own", path)
	default:
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".control-") // with mode 0700
	if err != nil {
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	defer os.RemoveAll(dir)
	made := filepath.Join(dir, "s")
	ln, err := net.Listen("unix", made)
	if err != nil {
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false) // it would look for the name that it was made under
	if err = os.Chmod(made, 0o600); err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		ln.Close()
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	return &listener{Listener: ln, path: path}, nil
}

// listener removes its socket when it is closed.
type listener struct {
	net.Listener
	path string
}

func (l *listener) Close() error {
	err := l.Listener.Close()
	if err == nil { // the first time alone: by the second another gate may have its own there
		os.Remove(l.path)
	}
	return err
}
