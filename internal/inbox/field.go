package inbox

import (
	"errors"
	"fmt"
)

// A FieldError says which member of an Options is wrong and why. The configuration puts its own name for the member in the place of Field.
type FieldError struct {
	Field   string // "TLS", "OAuth.ClientID"
	Problem error
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Problem.Error() }

// Unwrap is what is wrong.
func (e *FieldError) Unwrap() error { return e.Problem }

// Wrong makes a FieldError.
func Wrong(field, format string, args ...any) error {
	return &FieldError{field, fmt.Errorf(format, args...)}
}

// Within is for an error of a struct that is itself a member.
func Within(field string, err error) error {
	var inner *FieldError
	if errors.As(err, &inner) {
		return &FieldError{field + "." + inner.Field, inner.Problem}
	}
	return &FieldError{field, err}
}
