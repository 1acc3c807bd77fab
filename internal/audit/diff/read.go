package diff

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

var errNone = errors.New("there is no audit in it; give a file that gatepost check --json printed")

// Read reads what gatepost check --json printed: one document or many. Of several audits of a domain the latest counts.
func Read(r io.Reader) (Audits, error) {
	all := Audits{}
	for d, n := json.NewDecoder(r), 1; ; n++ {
		var e Earlier
		err := d.Decode(&e)
		switch {
		case err == io.EOF && len(all) == 0:
			return nil, errNone
		case err == io.EOF:
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("document %d: %w; give a file that gatepost check --json printed", n, err)
		case e.Domain == "" || e.CheckedAt.IsZero():
			return nil, fmt.Errorf("document %d: no audit; give a file that gatepost check --json printed", n)
		}
		if known := all[e.Domain]; known == nil || !e.CheckedAt.Before(known.CheckedAt) {
			all[e.Domain] = &e
		}
	}
}
