package dkim

// A folder writes a field's value in lines of at most 78 columns (RFC 5322 2.1.1), as far as there are places to fold at.
type folder struct {
	text   []byte
	column int
}

const maxColumn = 78

// token writes a word after a space, or after a fold.
func (f *folder) token(s string) {
	if f.column+1+len(s) > maxColumn {
		f.fold()
	} else {
		f.text = append(f.text, ' ')
		f.column++
	}
	f.text = append(f.text, s...)
	f.column += len(s)
}

// list writes a tag whose value has colons, behind each of which white space may stand.
func (f *folder) list(tag string, names []string) {
	for i, name := range names {
		end := ":"
		if i == len(names)-1 {
			end = ";"
		}
		switch {
		case i == 0:
			f.token(tag + name + end)
			continue
		case f.column+len(name)+len(end) > maxColumn:
			f.fold()
		}
		f.text = append(append(f.text, name...), end...)
		f.column += len(name) + len(end)
	}
}

// append writes text in which white space may stand anywhere.
func (f *folder) append(s string) {
	for len(s) > 0 {
		room := maxColumn - f.column
		if room <= 0 {
			f.fold()
			continue
		}
		n := min(room, len(s))
		f.text = append(f.text, s[:n]...)
		f.column += n
		s = s[n:]
	}
}

func (f *folder) fold() {
	f.text = append(f.text, "\r\n "...)
	f.column = 1
}
