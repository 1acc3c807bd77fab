package bulk

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/gatepost-mail/gatepost/dns"
)

// A Progress is how far an earlier run came.
type Progress struct {
	Done    int      // lines of output that are whole
	Last    string   // the domain of the last
	Size    int64    // of the output up to there: what is beyond was being written when the run ended
	Summary *Summary // of what is there
}

// Resume reads the output of an earlier run, one JSON document a line.
func Resume(output io.Reader) (*Progress, error) {
	p := &Progress{Summary: new(Summary)}
	in := bufio.NewReaderSize(output, 1<<20)
	for {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return p, nil
		}
		if err != nil {
			return nil, err
		}
		var l line
		if err := json.Unmarshal(bytes.TrimSpace(text), &l); err != nil || l.Domain == "" {
			return nil, fmt.Errorf("line %d is no report; name the output that the earlier run wrote with --jsonl", p.Done+1)
		}
		p.Done++
		p.Last, p.Size = l.Domain, p.Size+int64(len(text))
		if l.Error != "" {
			p.Summary.add(nil)
		} else {
			p.Summary.add(&l)
		}
	}
}

// Rest leaves out the domains that are done. It is an error where the last of them is another than that of the output.
func (p *Progress) Rest(domains iter.Seq2[string, error]) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		n := 0
		for name, err := range domains {
			if n++; err == nil && n <= p.Done {
				if n == p.Done && !same(name, p.Last) {
					yield("", fmt.Errorf("the output has %q where the input has %q; give it the same input as before", p.Last, name))
					return
				}
				continue
			}
			if !yield(name, err) || err != nil {
				return
			}
		}
		if n < p.Done {
			yield("", fmt.Errorf("the output has %d domains and the input %d; give it the same input as before", p.Done, n))
		}
	}
}

func same(a, b string) bool {
	if a == b {
		return true
	}
	ascii, err := dns.ToASCII(a)
	return err == nil && ascii == b
}
