//go:build !unix

package folder

import (
	"errors"
	"syscall"
)

const openFlags = 0

// otherDevice tells whether a file cannot be renamed because the place is on another filesystem (ERROR_NOT_SAME_DEVICE).
func otherDevice(err error) bool { return errors.Is(err, syscall.Errno(17)) }
