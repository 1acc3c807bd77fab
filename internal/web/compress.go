package web

import (
	"net/http"

	"github.com/klauspost/compress/gzhttp"
)

// compressible are the kinds of answers that become smaller. An event stream is none: each event is to be there at once.
var compressible = []string{"text/html", "text/css", "text/javascript", "text/csv", "application/json", "application/problem+json", "image/svg+xml"}

// leastToCompress is about what a packet holds: what is smaller comes no sooner for being smaller.
const leastToCompress = 1200

// compressed makes answers small. What a page repeats of a request, beside a secret in the same page, could be used to guess the secret by
// the length of what is compressed (BREACH). Ours hold none that a guess is worth: a session is known by its cookie alone, forms carry no
// token since the browser says where they come from, and a new token or recovery code is shown once, in an answer that repeats nothing.
func compressed(next http.Handler) http.Handler {
	wrap, err := gzhttp.NewWrapper(gzhttp.ContentTypes(compressible), gzhttp.MinSize(leastToCompress), gzhttp.EnableZstd(false))
	if err != nil {
		panic(err) // only options that contradict each other
	}
	return wrap(next)
}
