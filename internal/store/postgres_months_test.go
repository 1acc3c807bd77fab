package store

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store/pgtest"
)

func postgres(t *testing.T, address string) *database {
	t.Helper()
	s, err := openPostgres(t.Context(), address, Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.(*database)
}

// one is a batch of a message of a moment.
func one(source string, number int64, at time.Time) Batch {
	return Batch{Source: source, Number: number, Counts: []Count{{Observation: Observation{Day: day(at), AuthorDomain: "example.com"}, Count: 1}}}
}

func put(t *testing.T, d *database, b Batch) {
	t.Helper()
	if err := d.AddBatch(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func pruned(t *testing.T, d *database, keep time.Duration, now time.Time) {
	t.Helper()
	for range 20 {
		if done, err := d.Prune(t.Context(), Retention{Observations: keep}, now); err != nil {
			t.Fatal(err)
		} else if done {
			return
		}
	}
	t.Fatal("it does not end")
}

func months(t *testing.T, d *database) string {
	t.Helper()
	all, err := partitions(t.Context(), d.read, "observations")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range all {
		names = append(names, strings.TrimPrefix(m.partition(), "observations_"))
	}
	return strings.Join(names, " ")
}

func messages(t *testing.T, d *database) (n int64) {
	t.Helper()
	for c, err := range d.Observations(t.Context(), ObservationFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		n += c.Count
	}
	return n
}

func date(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestEachMonthIsAPartitionThatIsMadeWhenItsFirstDayComesAndDroppedWithItsLast(t *testing.T) {
	address := pgtest.Database(t)
	d, other := postgres(t, address), postgres(t, address)
	for i, s := range []string{"1969-12-31", "1970-01-01", "2026-10-31", "2026-11-01", "2026-11-30", "2026-12-01", "2028-02-29"} {
		put(t, d, one("a", int64(i+1), date(s)))
		put(t, other, one("b", int64(i+1), date(s)))
	}
	if got := months(t, d); got != "1969_12 1970_01 2026_10 2026_11 2026_12 2028_02" {
		t.Errorf("got the months %s", got)
	}
	pruned(t, d, 24*time.Hour, date("2026-12-01"))
	if got := months(t, d); got != "2026_11 2026_12 2028_02" {
		t.Errorf("with two days of November, got %s", got)
	}
	if n := messages(t, d); n != 6 {
		t.Errorf("%d messages are left, want 6", n)
	}
	pruned(t, d, 24*time.Hour, date("2026-12-02"))
	if got := months(t, d); got != "2026_12 2028_02" {
		t.Errorf("without November, got %s", got)
	}
	// The other process knows nothing of that.
	put(t, other, one("b", 20, date("2026-11-30")))
	if n := messages(t, d); n != 5 {
		t.Errorf("%d messages are left, want 5", n)
	}
}

func TestAMonthThatIsBeingReadIsEmptiedAndDroppedLater(t *testing.T) {
	d := postgres(t, pgtest.Database(t))
	put(t, d, one("a", 1, date("2026-10-01")))
	reader, err := d.read.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := reader.QueryRow(`SELECT count(*) FROM observations`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	pruned(t, d, 24*time.Hour, date("2026-12-01"))
	if n := messages(t, d); n != 0 || months(t, d) != "2026_10" {
		t.Errorf("%d messages, the months %s", n, months(t, d))
	}
	reader.Rollback()
	pruned(t, d, 24*time.Hour, date("2026-12-01"))
	if got := months(t, d); got != "" {
		t.Errorf("got the months %s", got)
	}
}

// Where many rows are, a question must not read them all, and what must be ordered is read in its order.
func TestQuestionsToPostgreSQLThatHaveAnIndexUseIt(t *testing.T) {
	d := postgres(t, pgtest.Database(t))
	if _, err := d.write.Exec(`INSERT INTO decisions SELECT n, 1795521600000000 + n * 1000, 'r' || n, 'd' || n % 50, 'd' || n % 50, 'accept', '', '{}'
		FROM generate_series(1, 50000) n`); err != nil {
		t.Fatal(err)
	}
	if _, err := d.write.Exec(`ANALYZE decisions`); err != nil {
		t.Fatal(err)
	}
	since := time.UnixMicro(1795521600000000 + 49000*1000)
	for _, c := range []struct {
		name   string
		filter DecisionFilter
		uses   []string
	}{
		{"all", DecisionFilter{}, []string{"Index Scan Backward using decisions_pkey"}},
		{"since", DecisionFilter{Since: since}, []string{"Index Scan Backward using decisions_pkey", "decisions_time"}},
		{"verdict since", DecisionFilter{Since: since, Verdict: "reject"}, []string{"Index Only Scan Backward using decisions_filter", "decisions_time"}},
		{"reference", DecisionFilter{Reference: "r77"}, []string{"decisions_reference"}},
		{"after", DecisionFilter{After: 49000, Oldest: true}, []string{"Index Scan using decisions_pkey"}},
	} {
		query, args := selectDecisions(c.filter)
		plan := planPostgres(t, d, query, args)
		for _, part := range c.uses {
			if !strings.Contains(plan, part) || strings.Contains(plan, "Seq Scan") {
				t.Errorf("%s: the plan is\n%swithout %q", c.name, plan, part)
			}
		}
	}
	if plan := planPostgres(t, d, firstYoung, []any{since.UnixMicro()}); !strings.Contains(plan, "Index Scan using decisions_pkey") {
		t.Errorf("to prune: the plan is\n%s", plan)
	}
}

func planPostgres(t *testing.T, d *database, query string, args []any) string {
	t.Helper()
	rows, err := d.read.QueryContext(t.Context(), "EXPLAIN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var step string
		if err := rows.Scan(&step); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(step + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}

func TestAServerThatIsTooOldOrOfAnotherEncodingIsNoPlaceForAStore(t *testing.T) {
	for _, c := range []struct {
		version           int
		written, encoding string
		says              string
	}{
		{140015, "14.15 (Debian 14.15-1)", "UTF8", "PostgreSQL 14.15 (Debian 14.15-1), and too old; install version 15 or later"},
		{90600, "9.6.0", "UTF8", "too old"},
		{150000, "15.0", "SQL_ASCII", "createdb -T template0 -E UTF8"},
		{150000, "15.0", "UTF8", ""},
		{190001, "19.1", "UTF8", ""},
	} {
		err := suits(c.version, c.written, c.encoding)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%d %s: %v", c.version, c.encoding, err)
		}
	}
}
