package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"io"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The figures of years must not be read to answer for a few days: each table that has them is looked into by its key, as far as the
// question goes.
func TestFiguresAreFoundByTheirKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatepost.db")
	d, err := connectSQLite(t.Context(), path, Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	hash := sha256.Sum256([]byte("x"))
	_, err = d.AddArrivals(t.Context(), []Arrival{{Raw: Raw{Hash: hash, Size: 1, At: at, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("x")), nil
	}}, Reports: []Report{{Kind: Aggregate, Domain: "example.com", Begin: at, End: at, Rows: func(yield func(Row, error) bool) {
		for i := range 50 { // so many that the first are not all
			if !yield(Row{SourceIP: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), Count: 1000 / int64(i+1)}, nil) {
				return
			}
		}
	}}}}})
	if err != nil {
		t.Fatal(err)
	}
	q := Question{Domains: []string{"example.com"}, From: at.AddDate(0, 0, -90), To: at}
	for _, c := range []struct {
		name string
		ask  func(context.Context) error
		uses []string
	}{
		{"days", func(ctx context.Context) error { _, err := d.ReportDays(ctx, q); return err },
			[]string{"report_days USING PRIMARY KEY (domain=? AND reporter=? AND day>? AND day<?)"}},
		{"top", func(ctx context.Context) error { _, err := d.TopSources(ctx, q, 5); return err },
			[]string{"report_sources_top (domain=? AND day=? AND messages>?)", "PRIMARY KEY (domain=? AND day=? AND source=? AND verified=?)"}},
		{"source", func(ctx context.Context) error {
			_, err := d.Source(ctx, q, netip.MustParseAddr("192.0.2.1"))
			return err
		},
			[]string{"report_details USING PRIMARY KEY (domain=? AND day=? AND source=?)", "report_sources USING PRIMARY KEY (domain=? AND day=? AND source=?)"}},
		{"alike", func(ctx context.Context) error {
			_, err := d.Alike(ctx, q, []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}, 10)
			return err
		},
			[]string{"report_details USING PRIMARY KEY (domain=? AND day=? AND source=?)"}},
		{"new", func(ctx context.Context) error { _, err := d.NewSources(ctx, q, 20); return err },
			[]string{"domain_sources_first (domain=? AND first>? AND first<?)", "PRIMARY KEY (domain=? AND source=?)"}},
		{"reporters", func(ctx context.Context) error { _, err := d.Reporters(ctx, q); return err },
			[]string{"reports_domain (domain=? AND day>? AND day<?)"}},
		{"list", func(ctx context.Context) error {
			_, err := d.Reports(ctx, ReportFilter{Domain: "example.com"})
			return err
		},
			[]string{"reports_domain (domain=?)"}},
		{"list of others", func(ctx context.Context) error { _, err := d.Reports(ctx, ReportFilter{Kind: Failure}); return err },
			[]string{"reports_others (kind=?)"}},
		{"list of all", func(ctx context.Context) error { _, err := d.Reports(ctx, ReportFilter{}); return err }, []string{"reports_day"}},
	} {
		asked := watch(t, d, path, c.ask)
		var plans []string
		for _, a := range asked {
			plans = append(plans, explainPlan(t, d, a.query, a.args))
		}
		all := strings.Join(plans, "\n")
		for _, part := range c.uses {
			if !strings.Contains(all, part) {
				t.Errorf("%s: the plans are\n%swithout %q", c.name, all, part)
			}
		}
		if slices.ContainsFunc(strings.Split(all, "\n"), func(s string) bool { return strings.HasPrefix(s, "SCAN report_") }) {
			t.Errorf("%s: the plans are\n%s", c.name, all)
		}
	}
}

type statement struct {
	query string
	args  []any
}

// watch gives what is asked of the database.
func watch(t *testing.T, d *database, path string, ask func(context.Context) error) []statement {
	t.Helper()
	var all []statement
	read := d.read
	defer func() { d.read = read }()
	d.read = sql.OpenDB(spy{read.Driver(), path, func(query string, args []driver.NamedValue) {
		s := statement{query: query}
		for _, a := range args {
			s.args = append(s.args, a.Value)
		}
		all = append(all, s)
	}})
	defer d.read.Close()
	if err := ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("nothing was asked")
	}
	return all
}

// A spy opens connections that tell what they are asked.
type spy struct {
	driver driver.Driver
	path   string
	note   func(string, []driver.NamedValue)
}

func (s spy) Driver() driver.Driver { return s.driver }

func (s spy) Connect(context.Context) (driver.Conn, error) {
	c, err := s.driver.Open(dsn(s.path, "deferred", waiting))
	return spied{c, s.note}, err
}

type spied struct {
	driver.Conn
	note func(string, []driver.NamedValue)
}

func (s spied) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s.note(query, args)
	return s.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}
