package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// TooLarge says that a file has more bytes than are read of one.
type TooLarge struct{ Most int64 }

func (e *TooLarge) Error() string { return fmt.Sprintf("it has more than %d bytes", e.Most) }

// errTimeout is what a request ends with that took too long. It is a timeout to [net.Error] too.
var errTimeout = timeout{}

type timeout struct{}

func (timeout) Error() string   { return "it took too long" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

// Is makes it what callers of a context look for.
func (timeout) Is(target error) bool { return target == context.DeadlineExceeded }

// late is errTimeout in the place of whatever an error says that came of it.
func late(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errTimeout) {
		return errTimeout
	}
	return err
}

// A body ends with an error where there is too much of it, or it takes too long.
type body struct {
	io.ReadCloser
	ctx        context.Context
	left, most int64
	done       func()
}

func (b *body) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, &TooLarge{b.most}
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, &TooLarge{b.most}
	}
	if err != nil && err != io.EOF {
		err = late(b.ctx, err)
	}
	return n, err
}

func (b *body) Close() error {
	defer b.done()
	return b.ReadCloser.Close()
}
