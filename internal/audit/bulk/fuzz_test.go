package bulk

import (
	"bytes"
	"strings"
	"testing"
)

// What Resume takes for done is whole lines from the beginning, and their number is that of the summary.
func FuzzResume(f *testing.F) {
	f.Add([]byte(`{"domain":"example.com","grade":"A","sends":true,"findings":[]}` + "\n" + `{"domain":"not..one","error":"no name"}` + "\n" + `{"dom`))
	f.Add([]byte("\n"))
	f.Add([]byte(`{"domain":"a"}{"domain":"b"}` + "\n"))
	f.Fuzz(func(t *testing.T, output []byte) {
		p, err := Resume(bytes.NewReader(output))
		if err != nil {
			return
		}
		if n := bytes.Count(output[:p.Size], []byte("\n")); n != p.Done || p.Summary.Domains+p.Summary.NoNames != n {
			t.Errorf("%d lines, of which %d are done and %+v are counted", n, p.Done, p.Summary)
		}
		if bytes.IndexByte(output[p.Size:], '\n') >= 0 {
			t.Error("a whole line is left")
		}
	})
}

// No line gives more than one domain, and none that has white space or a separator in it.
func FuzzLines(f *testing.F) {
	f.Add("# ours\n\nexample.com, more\n\"example.net\";x\r\n\ufeffexample.org")
	f.Fuzz(func(t *testing.T, input string) {
		n := 0
		for name, err := range Lines(strings.NewReader(input)) {
			if err != nil {
				return
			}
			if n++; name == "" || strings.ContainsAny(name, " \t,;#\n\"") && !strings.Contains(input, `"`) {
				t.Errorf("the name %q", name)
			}
		}
		if most := strings.Count(input, "\n") + 1; n > most {
			t.Errorf("%d names in %d lines", n, most)
		}
	})
}
