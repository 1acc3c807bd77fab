package page

import (
	"fmt"
	"html/template"
	"maps"
	"net/url"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/show"
)

// funcs are what templates call. Numbers are written as the reader's language has them; moments are <time> elements, which a script turns
// into the reader's own zone and order, and which stand in UTC without it.
func (s *Set) funcs(tag language.Tag) template.FuncMap {
	print := message.NewPrinter(tag)
	all := template.FuncMap{
		"style":    func() string { return s.style.path },
		"script":   func(name string) string { return s.code[name].path },
		"number":   func(n any) string { return print.Sprint(n) },
		"percent":  func(part, of int64) string { return percent(print, part, of) },
		"day":      day,
		"moment":   moment,
		"ago":      func(t time.Time) string { return ago(s.Now().Sub(t)) },
		"shown":    shown,
		"word":     show.Word,
		"lines":    lines,
		"join":     strings.Join,
		"count":    func(n any, one, many string) string { return counted(print, n, one, many) },
		"query":    url.QueryEscape,
		"part":     url.PathEscape,
		"args":     arguments,
		"exported": exported,
	}
	maps.Copy(all, pictures(print))
	return all
}

// percent is a share of which only all is 100 % and only nothing 0 %.
func percent(print *message.Printer, part, of int64) string {
	if of == 0 {
		return "–"
	}
	text := insight.Percent(float64(part) * 100 / float64(of))
	return strings.Replace(text, ".", decimal(print), 1)
}

func decimal(print *message.Printer) string {
	return strings.Trim(print.Sprintf("%.1f", 0.5), "05")
}

func counted(print *message.Printer, n any, one, many string) string {
	if fmt.Sprint(n) == "1" {
		return print.Sprint(n) + " " + one
	}
	return print.Sprint(n) + " " + many
}

func day(t time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	text := t.UTC().Format(time.DateOnly)
	return template.HTML(`<time class="day" datetime="` + text + `">` + text + `</time>`)
}

func moment(t time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	t = t.UTC()
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339) + `">` + t.Format("2006-01-02 15:04") + ` UTC</time>`)
}

func ago(d time.Duration) string {
	unit := func(n int, what string) string {
		if n != 1 {
			what += "s"
		}
		return fmt.Sprintf("%d %s ago", n, what)
	}
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return unit(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return unit(int(d/time.Hour), "hour")
	}
	return unit(int(d/(24*time.Hour)), "day")
}

// shown is a text without what could lead its reader astray.
func shown(v any) string { return show.Printable(fmt.Sprint(v)) }

// lines are those of a text, each as shown.
func lines(text string) []string {
	all := strings.Split(text, "\n")
	for i := range all {
		all[i] = shown(all[i])
	}
	return all
}

// arguments are what a template that is called needs, by name.
func arguments(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("args: %d arguments", len(pairs))
	}
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m, nil
}

// exported is a page's address for one of its tables.
func exported(path, table string) string {
	u, err := url.Parse(path)
	if err != nil {
		return path
	}
	q := u.Query()
	q.Set("format", "csv")
	q.Set("table", table)
	u.RawQuery = q.Encode()
	return u.String()
}
