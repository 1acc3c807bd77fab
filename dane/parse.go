package dane

import (
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// maxData bounds a record's data: DNS has no more in one record.
const maxData = 65535 - 3

// Parse reads the RDATA of a TLSA record as it stands in a master file (RFC 6698 2.2): three numbers, and hexadecimal digits that may be
// parted by white space. That the numbers and the data mean something is for [Record.Check] to say.
func Parse(rdata string) (Record, error) {
	var numbers [3]uint8
	rest := rdata
	for i, what := range []string{"usage", "selector", "matching type"} {
		var word string
		word, rest = cutWord(rest)
		if word == "" {
			return Record{}, fmt.Errorf("dane: there is no %s", what)
		}
		n, err := strconv.ParseUint(word, 10, 8)
		if err != nil {
			return Record{}, fmt.Errorf("dane: %s %q is no number from 0 to 255", what, short(word))
		}
		numbers[i] = uint8(n)
	}
	digits := strings.Join(strings.FieldsFunc(rest, isSpace), "")
	switch {
	case digits == "":
		return Record{}, fmt.Errorf("dane: there is no data")
	case len(digits) > 2*maxData:
		return Record{}, fmt.Errorf("dane: there are more than %d octets of data", maxData)
	}
	data, err := hex.DecodeString(digits)
	if err != nil {
		return Record{}, fmt.Errorf("dane: the data is not hexadecimal: %q", short(digits))
	}
	return Record{Usage(numbers[0]), Selector(numbers[1]), Matching(numbers[2]), data}, nil
}

// ParseAll reads several. Those that cannot be read are left out, and the error is that of the first.
func ParseAll(rdata []string) ([]Record, error) {
	var all []Record
	var first error
	for _, s := range rdata {
		r, err := Parse(s)
		if err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		all = append(all, r)
	}
	return all, first
}

func isSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }

func cutWord(s string) (word, rest string) {
	s = strings.TrimLeftFunc(s, isSpace)
	if i := strings.IndexFunc(s, isSpace); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// short bounds what of a stranger's text an error shows.
func short(s string) string {
	const most = 40
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// checkFull reads the data as what the record says it is.
func (r Record) checkFull() error {
	var err error
	if r.Selector == SPKI {
		_, err = x509.ParsePKIXPublicKey(r.Data)
	} else {
		_, err = x509.ParseCertificate(r.Data)
	}
	if err != nil {
		return fmt.Errorf("its data is no %s: %w", map[Selector]string{Cert: "certificate", SPKI: "public key"}[r.Selector], err)
	}
	return nil
}
