// Package option says what is wrong with the options that something is made with.
package option

import (
	"errors"
	"fmt"
)

// An Error says which member of an Options is wrong and why. The configuration puts its own name for the member in the place of Field.
type Error struct {
	Field string // "TLS", "OAuth.ClientID"
	Err   error
}

func (e *Error) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap is what is wrong.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an [*Error].
func Errorf(field, format string, args ...any) error {
	return &Error{field, fmt.Errorf(format, args...)}
}

// Within is for an error of a struct that is itself a member.
func Within(field string, err error) error {
	var inner *Error
	if errors.As(err, &inner) {
		return &Error{field + "." + inner.Field, inner.Err}
	}
	return &Error{field, err}
}
