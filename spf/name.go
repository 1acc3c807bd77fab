package spf

// The longest name, and the longest label of one (RFC 1035 2.3.4), as written without the final dot.
const (
	maxName  = 253
	maxLabel = 63
)

// queryName makes a name as the resolver takes it from what a domain-spec expanded to: lower case, without a final dot, with
// labels cut from the left until it is not too long (RFC 7208 7.3). It is not ok where no such name can exist; a look-up would find
// nothing there (4.8). Names that are not ASCII never exist, as the A-labels of a domain are ASCII and local parts that are not
// match nothing (RFC 8616 4).
func queryName(name string) (_ string, ok bool) {
	if name != "" && name[len(name)-1] == '.' {
		name = name[:len(name)-1]
	}
	if len(name) > maxName {
		if name, ok = truncate(name); !ok {
			return "", false
		}
	}
	label, upper := 0, false
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.':
			if label == 0 || label > maxLabel {
				return "", false
			}
			label = -1
		case c >= 0x80:
			return "", false
		case 'A' <= c && c <= 'Z':
			upper = true
		}
		label++
	}
	if label == 0 || label > maxLabel {
		return "", false
	}
	if upper {
		name = lowerCase(name)
	}
	return name, true
}

// truncate removes labels from the left until the name fits.
func truncate(name string) (string, bool) {
	for i := len(name) - maxName; i < len(name); i++ {
		if name[i-1] == '.' {
			return name[i:], true
		}
	}
	return "", false
}

func lowerCase(s string) string {
	b := []byte(s)
	for i, c := range b {
		b[i] = lower(c)
	}
	return string(b)
}
