package bimicheck

import (
	"github.com/gatepost-mail/gatepost/bimi"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

// logo are the checks of the logo's file.
var logo = []check.Check{
	{
		ID: "bimi-logo-unavailable", Severity: check.Error, Reference: draft + " 7.5",
		Title: "The logo is not to be had",
		Why:   "What receivers cannot fetch, they cannot show.",
		Explain: "The web server that l= names does not give the file: it says that there is none, its certificate is not good, or it leads " +
			"elsewhere. Ask it as a receiver would, without cookies and from outside:\n\n\tcurl -i https://example.com/logo.svg\n\n" +
			"A server that wants a browser, or keeps machines away, keeps receivers away.",
		Look: func(f *facts.Facts) []check.Seen {
			if f.BIMI.Logo.Err == nil {
				return nil
			}
			return []check.Seen{{Subject: f.BIMI.Logo.URL, Detail: f.BIMI.Logo.Err.Error() + ".", Advice: "Put the file there, open to everybody."}}
		},
	},
	{
		ID: "bimi-logo-too-large", Severity: check.Error, Reference: svgDraft + " 2.4",
		Title: "The logo has more than 32 KiB",
		Why:   "Receivers refuse larger ones.",
		Explain: "32 KiB are counted of the SVG itself, unpacked. Drawings become large by points that nobody sees, by digits behind the point " +
			"and by what the drawing program writes for itself. Simplify the paths, round the numbers, and export anew.\n\n\tcurl -s " +
			"https://example.com/logo.svg | wc -c",
		Look: faultsOfLogo(bimi.TooLarge, "Simplify the drawing, and export it anew."),
	},
	{
		ID: "bimi-logo-not-svg", Severity: check.Error, Reference: svgDraft + " 2",
		Title: "The logo is not an SVG document",
		Why:   "Receivers take SVG only, and refuse documents that declare things of their own.",
		Explain: "The file has to be well-formed XML in UTF-8 that begins with an svg element, and has no document type: <!DOCTYPE …> may " +
			"declare entities, which is a known way to make a reader fill its memory or open files. Take that line out.\n\n" +
			"\tcurl -s https://example.com/logo.svg | xmllint --noout -",
		Look: faultsOfLogo(bimi.NotSVG, "Export the logo as SVG Tiny PS."),
	},
	{
		ID: "bimi-logo-profile", Severity: check.Error, Reference: svgDraft + " 2",
		Title: "The logo is not SVG Tiny PS",
		Why:   "Receivers show only logos of that profile, which leaves out all that is of no use to a small picture.",
		Explain: "SVG Tiny Portable/Secure is SVG Tiny 1.2 without pictures, links, styles, filters, and anything that moves or sounds. Its " +
			"first element says what it is:\n\n\t<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.2\" baseProfile=\"tiny-ps\" viewBox=\"0 0 " +
			"64 64\">\n\n" +
			"Drawing programs do not write that by themselves: export as SVG Tiny 1.2, set version and baseProfile, take x= and y= out of the " +
			"first element, and take out what the program adds for itself.",
		Look: faultsOfLogo(bimi.Profile, "Export the logo as SVG Tiny 1.2, and set version=\"1.2\" and baseProfile=\"tiny-ps\"."),
	},
	{
		ID: "bimi-logo-no-title", Severity: check.Error, Reference: svgDraft + " 2.1",
		Title: "The logo has no title, or several",
		Why:   "The title is what is read to people who cannot see the logo, and the profile wants one.",
		Explain: "The first element has one title of its own, which is not empty. The name of the company is a good one, in at most 64 " +
			"characters:\n\n" +
			"\t<title>Example Inc.</title>",
		Look: faultsOfLogo(bimi.NoTitle, "Put one title element into the svg element."),
	},
	{
		ID: "bimi-logo-external", Severity: check.Error, Reference: svgDraft + " 2; RFC 6170 5.2",
		Title: "The logo refers to something outside of itself",
		Why:   "Receivers refuse it: what it refers to could change, and tells its server who reads.",
		Explain: "A logo is complete in itself. A picture, a style sheet or a gradient that is fetched from elsewhere would let its owner see " +
			"when mail is read, and change the logo after it was looked at. References to parts of the same file, as #a is one, are fine.",
		Look: faultsOfLogo(bimi.External, "Draw in the file what it refers to, and take the reference out."),
	},
	{
		ID: "bimi-logo-script", Severity: check.Error, Reference: svgDraft + " 2; RFC 6170 5.2",
		Title: "The logo has a script in it",
		Why:   "Receivers refuse it, since a script in a picture can attack whoever looks at it.",
		Explain: "No script, no attribute such as onload, and no element that holds foreign content may be in a logo. If you did not put it " +
			"there, find out who did.",
		Look: faultsOfLogo(bimi.Script, "Take the script out."),
	},
	{
		ID: "bimi-logo-not-square", Severity: check.Warning, Reference: draft + " 4.2",
		Title: "The logo is not square",
		Why:   "Mail clients show logos in squares and circles, and cut or shrink what is not square.",
		Explain: "The viewBox of the first element says how wide and how high the drawing is. Make both the same, and put the logo into the " +
			"middle with some space around it, for the corners are cut off where a circle is shown.",
		Look: faultsOfLogo(bimi.NotSquare, "Give the drawing a square viewBox."),
	},
}

func faultsOfLogo(kind bimi.Kind, advice string) func(*facts.Facts) []check.Seen {
	return func(f *facts.Facts) []check.Seen { return of(f.BIMI.LogoFaults, kind, f.BIMI.Logo.URL, advice) }
}
