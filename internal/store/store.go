// Package store keeps what Gatepost remembers: the last decisions, counts of what was seen, exceptions, and reports. It is the only place
// with SQL, and knows rows, not protocols.
//
//	s, err := store.Open(ctx, "sqlite:/var/lib/gatepost/gatepost.db", store.Options{Create: true})
//	defer s.Close()
//	err = s.AddBatch(ctx, batch)
//
// Every engine keeps the promises of [Store]; package storetest holds it to them. There are SQLite and PostgreSQL. Several processes
// may use one store at the same time.
package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
)

// A Store is an engine. Its methods are safe for concurrent use. What cannot be done now, but perhaps later, is an error as well.
type Store interface {
	// AddBatch writes the whole batch or nothing of it. A batch that the store has seen before changes nothing. When a day has
	// nearly as many Observations as it may, those that are new are folded; their messages are counted all the same.
	AddBatch(ctx context.Context, b Batch) error

	// Decisions gives those that the filter lets through, in the order in which they came into the store.
	Decisions(ctx context.Context, f DecisionFilter) ([]Decision, error)

	// Observations gives the counts that the filter lets through, by day and, unless the filter minds no order, then by Author Domain.
	Observations(ctx context.Context, f ObservationFilter) iter.Seq2[Count, error]

	// Prune deletes what is to be kept no longer, a part at a time so that nobody waits for long, and tells whether that was all.
	Prune(ctx context.Context, r Retention, now time.Time) (done bool, err error)

	// Exceptions gives all of them, the oldest first.
	Exceptions(ctx context.Context) ([]Exception, error)

	// ExceptionsVersion changes whenever an exception was added, extended or removed, and is cheap to ask for.
	ExceptionsVersion(ctx context.Context) (int64, error)

	// AddException gives the exception its ID.
	AddException(ctx context.Context, e *Exception) error

	// ExtendException and RemoveException wrap [ErrNoException] where there is none with this ID.
	ExtendException(ctx context.Context, id int64, until time.Time) error
	RemoveException(ctx context.Context, id int64) error

	// Lease takes what no other holder has, or has no longer, or renews what the holder has; and tells whether the holder has it, for so
	// long from now on. Release gives it up before.
	Lease(ctx context.Context, name, holder string, ttl time.Duration) (held bool, err error)
	Release(ctx context.Context, name, holder string) error

	// Size tells how much there is. It counts rows, which takes its time.
	Size(ctx context.Context) (Size, error)

	Reports
	Letters
	Histories
	Notices
	people.Store

	Close() error
}

// A Size tells how much is in a store.
type Size struct {
	Engine       string `json:"engine"` // SQLite or PostgreSQL
	Bytes        int64  `json:"bytes"`  // on the disk
	Decisions    int64  `json:"decisions"`
	Observations int64  `json:"observations"`
	Reports      int64  `json:"reports"`
	Records      int64  `json:"records"` // of aggregate reports, that are kept one by one
	Raws         int64  `json:"raws"`    // what arrived and is kept byte for byte
}

// A Batch is what is written at once. Its source numbers its batches upwards and hands them over in that order, so that the store
// knows by one number a source which it has: a batch with this number or a lower one changes nothing.
type Batch struct {
	Source    string // random, of one run of one program
	Number    int64  // from 1
	Decisions []Decision
	Counts    []Count
	Uses      []Use
}

// A Use tells how often an exception was applied since the last batch, and when for the last time.
type Use struct {
	Exception int64
	Count     int64
	Last      time.Time
}

// A DecisionFilter lets through what every member that is set asks for.
type DecisionFilter struct {
	Domain    string // the Author Domain or the envelope's
	Verdict   string
	Rule      string
	Reference string
	Since     time.Time
	After     int64 // the ID of a decision
	Before    int64 // likewise, unless zero
	Limit     int   // the last so many; 1000 if zero
	Oldest    bool  // the first so many, instead
}

// An ObservationFilter lets through what every member that is set asks for.
type ObservationFilter struct {
	From, To     time.Time // days, both included
	AuthorDomain string
	AnyOrder     bool // within a day, the same each time: very many need not be sorted
}

// Retention says how much is kept. What is zero is not limited.
type Retention struct {
	Decisions    int           // the last so many
	DecisionAge  time.Duration // and none that is older
	Observations time.Duration // counts of days that are longer ago

	ReportRows time.Duration // the records of reports on days that are longer ago; what was counted of them stays
	Raws       time.Duration // the bytes of what arrived before that
	Failures   time.Duration // failure reports that arrived before that, with the bytes that they came in

	Notices time.Duration // cases that ended before that, with their letters and to whom these went
}

// DefaultNotices is how long cases are kept after their end, which tell of persons: for as long as figures of a year are asked for.
const DefaultNotices = 400 * 24 * time.Hour

// DefaultFailures is how long failure reports are kept, which tell of persons.
const DefaultFailures = 30 * 24 * time.Hour

// maxExceptions bounds what a gate holds in memory.
const maxExceptions = 10_000

// The errors that callers tell apart.
var (
	ErrNoException = errors.New("no such exception")
	ErrNotThere    = errors.New("there is no store")
	ErrNewer       = errors.New("the store is of a newer gatepost")
	ErrOlder       = errors.New("the store is of an older gatepost")
	ErrURL         = errors.New("not the address of a store")
)

// DefaultObservations is how many a day has: more than the mail of most sites, and half an hour of a flood of made up names.
const DefaultObservations = 1_000_000

// Options say how to open a store.
type Options struct {
	Create       bool // make it where there is none, and bring its tables up to date
	Observations int  // of a day: what is new is folded as they near it; [DefaultObservations] if zero
}

// Open opens the store that an address names: "sqlite:/path/to/file.db", or the path alone; "postgres://user@host/database", with what
// libpq knows besides: PGPASSWORD, ~/.pgpass, passfile=, sslmode= and so on.
func Open(ctx context.Context, address string, o Options) (Store, error) {
	if isPostgres(address) {
		return openPostgres(ctx, address, o)
	}
	path, err := sqlitePath(address)
	if err != nil {
		return nil, err
	}
	return openSQLite(ctx, path, o)
}

// Shared tells whether nodes on several hosts may use the store that an address names.
func Shared(address string) bool { return isPostgres(address) }

// Check tells whether Open would know what to do with an address, without touching anything.
func Check(address string) error {
	if isPostgres(address) {
		_, err := postgresConfig(address)
		return err
	}
	_, err := sqlitePath(address)
	return err
}

// sqlitePath gives the file that an address names. A letter and a colon begin a path on Windows.
func sqlitePath(address string) (string, error) {
	path := address
	if scheme, rest, ok := strings.Cut(address, ":"); ok && len(scheme) > 1 && !strings.ContainsAny(scheme, `/\.`) {
		if scheme != "sqlite" {
			return "", fmt.Errorf("%w: %q; %s", ErrURL, withoutSecrets(address), writeAs)
		}
		path = strings.TrimPrefix(rest, "//")
	}
	if path == "" || strings.ContainsRune(path, 0) {
		return "", fmt.Errorf("%w: %q; %s", ErrURL, withoutSecrets(address), writeAs)
	}
	return path, nil
}

// withoutSecrets is what was meant as an address, as it may be shown: what looks like a user's password is left out, wherever it stands.
func withoutSecrets(address string) string {
	text, _, more := strings.Cut(address, "?")
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		scheme, _, _ := strings.Cut(text[:at], ":")
		text = scheme + ":…" + text[at:]
	}
	if more {
		text += "?…"
	}
	return text
}

const writeAs = "write it as sqlite:/var/lib/gatepost/gatepost.db or as " + postgresExample
