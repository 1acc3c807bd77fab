package people

import (
	"fmt"
	"strings"
)

// An Unfit is what a name, a password or the like cannot be, and why.
type Unfit struct {
	Field string // "name", "password", "over", …
	Text  string // a sentence
}

func (e *Unfit) Error() string { return e.Text }

const maxName = 64

// CheckName gives a name as it is kept, or an Unfit. Names are plain ASCII, so that none can be taken for another.
func CheckName(name string) (string, error) {
	name = foldName(name)
	if name == "" || len(name) > maxName || !letter(rune(name[0])) || strings.ContainsFunc(name, func(r rune) bool { return !inName(r) }) {
		return "", &Unfit{"name", fmt.Sprintf("A name is made of the letters a to z, digits and . _ - + @, begins with a letter or a digit, and has %d of them at most.", maxName)}
	}
	return name, nil
}

// foldName is a name as somebody types it who signs in.
func foldName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

func letter(r rune) bool { return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' }

func inName(r rune) bool { return letter(r) || strings.ContainsRune("._-+@", r) }

// nameOf makes a name of what a provider calls somebody.
func nameOf(text string) string {
	name := strings.Map(func(r rune) rune {
		if inName(r) {
			return r
		}
		return '-'
	}, foldName(text))
	name = strings.TrimLeft(name, "._-+@")
	const room = 4 // for a number that tells it from another
	name = strings.TrimRight(name[:min(len(name), maxName-room)], "-")
	if name == "" {
		return "user"
	}
	return name
}
