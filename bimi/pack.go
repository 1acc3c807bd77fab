package bimi

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// MaxLogo is how large a logo may be, unpacked (draft-svg-tiny-ps-abrotman 2).
const MaxLogo = 32 << 10

// maxRead is how far a logo is looked at that is larger than it may be: enough to say what it is.
const maxRead = 8 * MaxLogo

var errUnpacked = fmt.Errorf("unpacked it has more than %d bytes", maxRead)

// Unpack gives the SVG of a file that may be compressed (.svgz), as [CheckLogo] does for itself. What becomes too large is refused, and
// no more of it is unpacked.
func Unpack(file []byte) ([]byte, error) {
	if !bytes.HasPrefix(file, []byte{0x1f, 0x8b}) {
		return file, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, errors.New("it is not what gzip makes")
	}
	svg, err := io.ReadAll(io.LimitReader(r, maxRead+1))
	switch {
	case len(svg) > maxRead:
		return nil, errUnpacked
	case err != nil:
		return nil, errors.New("what gzip made of it is damaged")
	}
	return svg, nil
}
