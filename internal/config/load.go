package config

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/gatepost-mail/gatepost/internal/tomlfile"
)

// An Error says what is wrong with a file, and where.
type Error = tomlfile.Error

// Load reads a file. The error is an [*Error], or that of reading it.
func Load(path string) (*Config, error) {
	text, err := tomlfile.Read(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, text)
}

// Parse reads the text of a file of this name.
func Parse(name string, text []byte) (*Config, error) {
	if len(text) > tomlfile.MaxBytes {
		return nil, &Error{File: name, Err: fmt.Errorf("larger than %d bytes: this is no configuration file", tomlfile.MaxBytes)}
	}
	c := Default()
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(c); err != nil {
		return nil, explain(name, text, err)
	}
	c.resolvePaths(filepath.Dir(name))
	if key, err := c.check(); err != nil {
		line, column := locate(text, key)
		return nil, &Error{File: name, Line: line, Column: column, Err: err}
	}
	return c, nil
}

// cutQuoted gives the text in quotes that follows a prefix in what Go says.
func cutQuoted(message, prefix string) (string, bool) {
	_, rest, ok := strings.Cut(message, prefix)
	if !ok {
		return "", false
	}
	text, err := strconv.QuotedPrefix(rest)
	return text, err == nil
}

// At puts the place of a key in a file before what is wrong with it.
func At(path, key string, err error) error {
	text, readErr := tomlfile.Read(path)
	if readErr != nil {
		return err
	}
	line, column := locate(text, key)
	return &Error{File: path, Line: line, Column: column, Err: err}
}

// explain turns what the library says into our words: one line, about keys, not about Go.
func explain(name string, text []byte, err error) error {
	var missing *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case errors.As(err, &missing) && len(missing.Errors) > 0:
		wrong = &missing.Errors[0]
		err = unknownKey(strings.Join(wrong.Key(), "."))
	case errors.As(err, &wrong):
		err = plainly(strings.Join(wrong.Key(), "."), strings.TrimPrefix(wrong.Error(), "toml: "))
	default:
		return &Error{File: name, Err: errors.New(strings.TrimPrefix(err.Error(), "toml: "))}
	}
	line, column := wrong.Position()
	return &Error{File: name, Line: line, Column: column, Err: err}
}

func plainly(key, message string) error {
	if rest, ok := strings.CutPrefix(message, "cannot decode TOML "); ok {
		kind, _, _ := strings.Cut(rest, " into")
		message = fmt.Sprintf("the value is of the wrong kind: %s; write %s", kind, kindOf(key))
	}
	if text, ok := cutQuoted(message, "netip.ParsePrefix("); ok {
		message = text + " is no network; write it like \"192.0.2.0/24\""
	}
	if text, ok := cutQuoted(message, "slog: level string "); ok {
		message = text + ": there are debug, info, warn, error"
	}
	if strings.HasPrefix(message, "unexpected character") && strings.HasSuffix(message, "at start of value") {
		message += `; a text stands in quotes: "…"`
	}
	if strings.HasPrefix(message, "invalid character") {
		message += "; this is no TOML"
	}
	if key == "" {
		return errors.New(message)
	}
	return fmt.Errorf("%s: %s", key, message)
}
