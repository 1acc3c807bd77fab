// Package secretfile reads files that hold what few may know.
package secretfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// Own reads a file that nobody but its owner may use, on systems that know of owners. What is beyond most bytes is not read: one byte more
// tells that there is.
func Own(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s is a directory", path)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("others than its owner may use %s (mode %04o): chmod 600 %s", path, info.Mode().Perm(), path)
	}
	return io.ReadAll(io.LimitReader(f, most+1))
}

const longest = 64 << 10

// Line reads a file with a secret in one line, such as a password. An error never holds any of it.
func Line(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, longest+1))
	if err == nil && len(text) > longest {
		err = errors.New("too large for a secret")
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	line := strings.TrimRight(string(text), "\r\n")
	if line == "" || strings.ContainsAny(line, "\r\n\x00") {
		return "", fmt.Errorf("%s: does not hold a secret in its first and only line", path)
	}
	return line, nil
}
