package people

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	minPassword  = 12   // characters
	maxPassword  = 1024 // bytes
	leastBesides = 6    // characters that are none of the words below
	leastOthers  = 5    // different characters
)

// common are what passwords are made of that are tried first. What remains of a password beside them is what it is worth.
var common = []string{
	"administrator", "1q2w3e4r5t", "qwertyuiop", "qwertzuiop", "azertyuiop", "1234567890", "9876543210", "trustno1", "password", "passwort", "passw0rd",
	"p@ssw0rd", "p@ssword", "contraseña", "motdepasse", "iloveyou", "baseball", "football", "princess", "sunshine", "superman", "starwars", "whatever",
	"computer", "internet", "changeme", "gatepost", "example", "michael", "letmein", "welcome", "default", "asdfghjkl", "asdfgh", "zxcvbnm", "zxcvbn", "1q2w3e4r",
	"1qaz2wsx", "qazwsx", "q1w2e3r4", "qwerty", "qwertz", "azerty", "monkey", "dragon", "shadow", "master", "secret", "summer", "winter", "spring", "autumn",
	"abcdefgh", "abcdef", "abc123", "123456", "654321", "112233", "121212", "123123", "111111", "000000", "hallo", "hello", "admin", "login", "guest",
	"root", "test", "user", "mail", "2024", "2025", "2026", "2027", "2028",
}

// checkPassword tells what is wrong with a password that somebody wants.
func checkPassword(name, password string) error {
	unfit := func(format string, a ...any) error { return &Unfit{"password", fmt.Sprintf(format, a...)} }
	if len(password) > maxPassword {
		return unfit("A password may be long, but not longer than %d letters.", maxPassword)
	}
	if !utf8.ValidString(password) {
		return unfit("The password came broken; type it again.")
	}
	plain := norm.NFKC.String(password)
	folded := strings.ToLower(plain)
	different := map[rune]bool{}
	for _, r := range folded {
		different[r] = true
	}
	rest := folded
	for _, word := range common {
		rest = strings.ReplaceAll(rest, word, " ")
	}
	besides := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsPunct(r) {
			return -1
		}
		return r
	}, rest)
	switch {
	case utf8.RuneCountInString(plain) < minPassword:
		return unfit("A password needs %d characters at least. Four words that have nothing to do with each other are a good one.", minPassword)
	case len(name) >= 3 && strings.Contains(folded, name):
		return unfit("The name is in the password.")
	case utf8.RuneCountInString(besides) < leastBesides || len(different) < leastOthers:
		return unfit("That password is among those that are tried first. Four words that have nothing to do with each other are a good one.")
	}
	return nil
}
