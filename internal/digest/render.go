package digest

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/chart"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/outbox"
)

// picture is the name of the trend in the mail.
const picture = "trend.png"

// render makes a letter of a page: HTML with its picture, and text.
func render(p *page, days []insight.Day, quiet bool) (outbox.Letter, error) {
	l := outbox.Letter{Subject: p.Subject, Text: p.text(days)}
	html, err := p.html(days)
	if err != nil {
		return l, err
	}
	l.HTML = html
	if quiet {
		return l, nil
	}
	png, err := chart.PNG(days)
	if err != nil {
		return l, err
	}
	l.Inline = []outbox.Image{{Name: picture, PNG: png}}
	return l, nil
}

//go:embed letter.gohtml
var letterHTML string

// The styles that stand on elements: Outlook knows them, and Gmail keeps them. What is light in them is made dark in the head of the
// template, by classes, for those who do that.
var styles = map[string]string{
	"body":    "margin:0;padding:0;background-color:#eef1f5;",
	"card":    "background-color:#ffffff;",
	"font":    "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;",
	"text":    "color:#1f2933;font-size:15px;line-height:22px;",
	"muted":   "color:#5f6b7a;font-size:13px;line-height:19px;",
	"title":   "color:#1f2933;font-size:22px;line-height:28px;font-weight:bold;",
	"heading": "color:#1f2933;font-size:16px;line-height:22px;font-weight:bold;",
	"value":   "color:#1f2933;font-size:22px;line-height:28px;font-weight:bold;",
	"label":   "color:#5f6b7a;font-size:12px;line-height:16px;",
	"rule":    "border-top:1px solid #e1e6ec;",
	"step":    "background-color:#e9f2fc;border-left:4px solid #2f6fb5;",
	"code":    "background-color:#f3f5f8;color:#1f2933;font-family:Consolas,Menlo,'Courier New',monospace;font-size:13px;line-height:19px;word-break:break-all;overflow-wrap:anywhere;",
	"tag":     "color:#2f6fb5;font-size:12px;line-height:16px;font-weight:bold;",
	"link":    "color:#1d5fa8;",
	"good":    "color:#1c7a5a;",
	"warn":    "color:#9a6200;",
	"bad":     "color:#b3264a;",
	"":        "",
}

var letter = template.Must(template.New("letter").Funcs(template.FuncMap{
	"style": func(names ...string) template.CSS {
		var b strings.Builder
		for _, name := range names {
			b.WriteString(styles[name])
		}
		return template.CSS(b.String())
	},
	"tone": func(t tone) string { return string(t) },
	// Outlook lays out by what stands in comments, which the template leaves out.
	"outlook": func() template.HTML {
		return `<!--[if mso]><table role="presentation" width="600" align="center" cellpadding="0" cellspacing="0" border="0"><tr><td><![endif]-->`
	},
	"outlookEnd": func() template.HTML { return `<!--[if mso]></td></tr></table><![endif]-->` },
	"image":      func() template.URL { return "cid:" + picture },
	"color":      func(s string) template.CSS { return template.CSS("color:" + s + ";") },
	"legend":     func() []chart.Part { return chart.Parts },
	"width":      func() int { return chart.Width },
	// A mail program shows what comes first beside the subject; these keep it from going on with what follows.
	"padding": func() template.HTML { return template.HTML(strings.Repeat("&#847;&zwnj;&nbsp;", 60)) },
	"percent": func(n int) string { return fmt.Sprintf("%d%%", 100/max(1, n)) },
}).Parse(letterHTML))

func (p *page) html(days []insight.Day) (string, error) {
	var b bytes.Buffer
	alt := ""
	if len(days) > 0 {
		alt = chart.Describe(days, insight.Number)
	}
	err := letter.Execute(&b, struct {
		*page
		Alt string
	}{p, alt})
	if err != nil {
		return "", fmt.Errorf("the letter: %w", err)
	}
	return b.String(), nil
}
