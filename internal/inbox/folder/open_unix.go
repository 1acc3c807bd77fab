//go:build unix

package folder

import (
	"errors"
	"syscall"
)

// openFlags keep us from following a link, and from waiting for the other end of a pipe, that came in the place of a file.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// otherDevice tells whether a file cannot be renamed because the place is on another filesystem.
func otherDevice(err error) bool { return errors.Is(err, syscall.EXDEV) }
