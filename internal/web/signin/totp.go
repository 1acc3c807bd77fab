package signin

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/boombuler/barcode/qr"

	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/web/page"
)

// A totpStep is a secret that is on its way into somebody's application.
type totpStep struct {
	Person int64  `json:"person"`
	Secret string `json:"secret"`
	URI    string `json:"uri"`
}

// A totpForm is the page on which a second factor is turned on.
type totpForm struct {
	Picture template.HTML
	URI     template.URL // "otpauth:", which an application on the same device opens
	Secret  string       // in groups, to be typed
}

func (d *Door) totpPage(w http.ResponseWriter, r *http.Request, v *visitor) {
	if v.person.TOTP != "" {
		http.Redirect(w, r, "/account", http.StatusSeeOther)
		return
	}
	secret, uri, err := d.Office.NewTOTP(v.person.Name)
	if err == nil {
		err = d.setStep(w, r, stepTOTP, totpStep{v.person.ID, secret, uri})
	}
	if err != nil {
		d.broken(w, r, v.access, err)
		return
	}
	d.showTOTP(w, r, v, secret, uri, "")
}

func (d *Door) showTOTP(w http.ResponseWriter, r *http.Request, v *visitor, secret, uri, wrong string) {
	picture, err := qrCode(uri)
	if err != nil {
		d.broken(w, r, v.access, err)
		return
	}
	p := &page.Page{
		Name: "account-totp", Title: "Ask for a code at sign-in", Who: v.access, Error: wrong, Crumbs: []page.Crumb{{Title: "Your account", Path: "/account"}},
		Answer: totpForm{picture, template.URL(uri), grouped(secret)},
	}
	code := http.StatusOK
	if wrong != "" {
		p.Field, code = "code", http.StatusUnprocessableEntity
	}
	d.show(w, r, code, p)
}

func (d *Door) enableTOTP(w http.ResponseWriter, r *http.Request, v *visitor) {
	var s totpStep
	id, ok := d.step(r, stepTOTP, &s)
	if !ok || s.Person != v.person.ID || v.person.TOTP != "" {
		http.Redirect(w, r, "/account/totp", http.StatusSeeOther)
		return
	}
	codes, err := d.Office.EnableTOTP(r.Context(), v.person.ID, s.Secret, codeIn(r))
	if errors.Is(err, people.ErrRefused) {
		d.showTOTP(w, r, v, s.Secret, s.URI, "That is not the code of now. See that the clock of your device is right.")
		return
	}
	if err != nil {
		d.broken(w, r, v.access, err)
		return
	}
	d.steps.use(id)
	d.endStep(w, r, stepTOTP)
	d.event(r, v, "totp-on", "")
	d.show(w, r, http.StatusOK, &page.Page{
		Name: "account-codes", Title: "Recovery codes", Who: v.access, Crumbs: []page.Crumb{{Title: "Your account", Path: "/account"}}, Answer: codes,
	})
}

func (d *Door) disableTOTP(w http.ResponseWriter, r *http.Request, v *visitor) {
	if v.person.TOTP == "" {
		d.leave(w, r, "totp-off") // it is off already, which the audit log need not be told again
		return
	}
	if err := d.Office.DisableTOTP(r.Context(), v.person.ID); err != nil {
		d.broken(w, r, v.access, err)
		return
	}
	d.event(r, v, "totp-off", "")
	d.leave(w, r, "totp-off")
}

// grouped is a secret as it is typed.
func grouped(secret string) string {
	var b strings.Builder
	for i, c := range secret {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// quiet is the margin of a QR code that readers need (ISO/IEC 18004 5.3.8).
const quiet = 4

// qrCode draws one as SVG: dark on white whatever the theme is, which is what readers know.
func qrCode(text string) (template.HTML, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", fmt.Errorf("qr code: %w", err)
	}
	size := code.Bounds().Dx()
	dark := func(x, y int) bool {
		if x >= size {
			return false
		}
		red, _, _, _ := code.At(x, y).RGBA()
		return red == 0
	}
	var b strings.Builder
	whole := size + 2*quiet
	fmt.Fprintf(&b, `<svg class="qr" role="img" aria-label="QR code of the secret below" viewBox="0 0 %d %d" shape-rendering="crispEdges">`, whole, whole)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/><path fill="#000" d="`, whole, whole)
	for y := range size {
		for x := 0; x < size; x++ {
			from := x
			for dark(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", from+quiet, y+quiet, x-from, x-from)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return template.HTML(b.String()), nil
}
