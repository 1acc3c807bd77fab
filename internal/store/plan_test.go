package store

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The log is asked while the gate writes: what names a moment or a reference must not read every decision.
func TestQuestionsThatHaveAnIndexUseIt(t *testing.T) {
	d, err := connectSQLite(t.Context(), filepath.Join(t.TempDir(), "gatepost.db"), Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	since := time.Unix(1795521600, 0)
	for _, c := range []struct {
		name   string
		filter DecisionFilter
		uses   []string
	}{
		{"since", DecisionFilter{Since: since}, []string{"USING INTEGER PRIMARY KEY (rowid>?)", "decisions_time (time>?)"}},
		{"verdict since", DecisionFilter{Since: since, Verdict: "reject"}, []string{"COVERING INDEX decisions_filter (id>?)", "decisions_time (time>?)"}},
		{"reference", DecisionFilter{Reference: "k3tqmzv2"}, []string{"decisions_reference (reference=?"}},
		{"reference since", DecisionFilter{Reference: "k3tqmzv2", Since: since}, []string{"decisions_reference (reference=?"}},
		{"after", DecisionFilter{After: 7, Oldest: true}, []string{"USING INTEGER PRIMARY KEY (rowid>?)"}},
	} {
		query, args := selectDecisions(c.filter)
		plan := explainPlan(t, d, query, args)
		for _, part := range c.uses {
			if !strings.Contains(plan, part) || strings.Contains(plan, "SCAN") || strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("%s: the plan is\n%swithout %q", c.name, plan, part)
			}
		}
	}
	for _, f := range []DecisionFilter{{Domain: "example.com"}, {Verdict: "defer"}, {Rule: "dane"}} {
		query, args := selectDecisions(f)
		if plan := explainPlan(t, d, query, args); !strings.Contains(plan, "SCAN decisions USING COVERING INDEX decisions_filter") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%+v: the plan is\n%s", f, plan)
		}
	}
	if plan := explainPlan(t, d, firstYoung, []any{1}); strings.Contains(plan, "TEMP B-TREE") {
		t.Errorf("to prune: the plan is\n%s", plan)
	}
}

func explainPlan(t *testing.T, d *database, query string, args []any) string {
	t.Helper()
	rows, err := d.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(step + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}
