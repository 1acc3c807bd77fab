package packaging

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/metrics"
)

// families are the names of all metrics, with their labels.
func families(t *testing.T) map[string][]string {
	t.Helper()
	m := metrics.New()
	m.Message(metrics.Message{Verdict: "accept"})
	m.Web("GET /domains", 200, time.Millisecond)
	m.Attach(metrics.Sources{
		Journal:    func() metrics.Journal { return metrics.Journal{} },
		Exceptions: func() metrics.Exceptions { return metrics.Exceptions{} },
		Keys:       func() []metrics.Key { return []metrics.Key{{Domain: "example.com"}} },
		Intake: func() metrics.Intake {
			return metrics.Intake{Inputs: []metrics.Input{{Name: "imap:reports", LastSuccess: time.Now()}}, Receiver: &metrics.Receiver{}}
		},
	})
	got, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, f := range got {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		names := []string{f.GetName()}
		if f.GetMetric()[0].GetHistogram() != nil {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				names = append(names, f.GetName()+suffix)
			}
		}
		for _, name := range names {
			all[name] = labels
		}
	}
	return all
}

var metricName = regexp.MustCompile(`\b(?:gatepost|process|go)_[a-z0-9_]+\b`)

func TestEveryMetricThatIsSpokenOfIsThere(t *testing.T) {
	there := families(t)
	for _, path := range []string{"packaging/prometheus/gatepost.rules.yml", "packaging/grafana/gatepost.json", "docs/monitoring.md"} {
		names := metricName.FindAllString(read(t, path), -1)
		if len(names) < 10 {
			t.Errorf("%s: only %d names", path, len(names))
		}
		for _, name := range names {
			if _, ok := there[name]; !ok {
				t.Errorf("%s: there is no metric %s", path, name)
			}
		}
	}
}

func TestEveryMetricIsInTheDocumentWithItsLabels(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| (`gatepost_[^|]*) \\| ([^|]*)\\|")
	documented := map[string][]string{}
	for _, m := range row.FindAllStringSubmatch(read(t, "docs", "monitoring.md"), -1) {
		var labels []string
		if text := strings.TrimSpace(m[2]); text != "" {
			labels = strings.Split(text, ", ")
		}
		for _, name := range metricName.FindAllString(m[1], -1) {
			documented[name] = labels
		}
	}
	for name, labels := range families(t) {
		if !strings.HasPrefix(name, "gatepost_") || regexp.MustCompile(`_seconds_(bucket|sum|count)$`).MatchString(name) {
			continue
		}
		got, ok := documented[name]
		if !ok {
			t.Errorf("docs/monitoring.md does not speak of %s", name)
		} else if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(labels))) {
			t.Errorf("%s: documented with the labels %v, want %v", name, got, labels)
		}
	}
}

func TestEveryAlertIsInTheDocument(t *testing.T) {
	alert := regexp.MustCompile(`Gatepost[A-Z]\w+`)
	names := func(path ...string) []string {
		set := map[string]bool{}
		for _, name := range alert.FindAllString(read(t, path...), -1) {
			set[name] = true
		}
		return slices.Sorted(maps.Keys(set))
	}
	rules, documented := names("packaging/prometheus/gatepost.rules.yml"), names("docs/monitoring.md")
	if !slices.Equal(rules, documented) {
		t.Errorf("the rules have\n%v\nthe document has\n%v", rules, documented)
	}
}

func TestPrometheusTakesTheAlertsAndTheyFireWhenTheyShould(t *testing.T) {
	need(t, "prometheus", "promtool")
	command(t, root, "promtool", "check", "rules", "packaging/prometheus/gatepost.rules.yml")
	command(t, filepath.Join("testdata"), "promtool", "test", "rules", "alerts.yml")
}

func TestEveryAlertFiresInTheTestOfThem(t *testing.T) {
	rules := strings.Count(read(t, "packaging/prometheus/gatepost.rules.yml"), "- alert: ")
	if want := fmt.Sprintf("value: %d}", rules); !strings.Contains(read(t, "test/packaging/testdata/alerts.yml"), want) {
		t.Errorf("testdata/alerts.yml does not want all %d alerts to fire", rules)
	}
}

func TestDashboardIsOneThatGrafanaTakes(t *testing.T) {
	var d struct {
		UID    string
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr, RefID string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "packaging/grafana/gatepost.json")), &d); err != nil {
		t.Fatal(err)
	}
	ids := map[int]bool{}
	cells := map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d %q: its number is taken, or it has no title or question", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%q stands over %q, or beyond the edge", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
	}
	if d.UID != "gatepost" || len(ids) < 20 {
		t.Errorf("uid %q with %d panels", d.UID, len(ids))
	}
}
