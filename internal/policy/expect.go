package policy

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/tomlfile"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

// Expectations are the test of an administrator's own policy: messages, and what is to become of each.
type Expectations struct {
	Name  string
	Cases []Case
}

// A Case is one message and what is expected of the policy.
type Case struct {
	Name string
	Line int

	// The message is an Evaluation of a few values, or that of a recorded file, or a message with the envelope in Given.
	Given    *verify.Evaluation
	Recorded string // the path of a file of JSON, as "gatepost verify --json" prints it
	Message  string // the path of a message
	Zone     string // the path of a master file that answers DNS for it
	Now      time.Time

	Action  Action   // these are empty where nothing is expected
	Rule    string   // "-" for none
	Reply   string   // "*" stands for any text
	Reason  string   // the same
	Watched []string // the rules that only watched; nil where nothing is expected
}

// A Difference is one thing that came out otherwise.
type Difference struct {
	What string `json:"what"`
	Want string `json:"want"`
	Got  string `json:"got"`
}

// Differences say in what a verdict is not what was expected.
func (c *Case) Differences(v Verdict) []Difference {
	var all []Difference
	differ := func(what, want, got string, same bool) {
		if want != "" && !same {
			all = append(all, Difference{what, want, got})
		}
	}
	rule := v.Rule
	if rule == "" {
		rule = "-"
	}
	differ("action", string(c.Action), string(v.Action), c.Action == v.Action)
	differ("rule", c.Rule, rule, c.Rule == rule)
	differ("reply", c.Reply, v.Reply, glob(c.Reply, v.Reply))
	differ("reason", c.Reason, v.Reason, glob(c.Reason, v.Reason))
	if c.Watched != nil {
		var got []string
		for _, w := range v.Watched {
			got = append(got, w.Rule)
		}
		want := strings.Join(c.Watched, ", ")
		if came := strings.Join(got, ", "); came != want {
			all = append(all, Difference{"watched", want, came})
		}
	}
	return all
}

// glob tells whether a text is what a pattern says, in which * stands for any text.
func glob(pattern, text string) bool {
	pieces := strings.Split(pattern, "*")
	if len(pieces) == 1 {
		return pattern == text
	}
	first, last := pieces[0], pieces[len(pieces)-1]
	if !strings.HasPrefix(text, first) {
		return false
	}
	text = text[len(first):]
	for _, p := range pieces[1 : len(pieces)-1] {
		i := strings.Index(text, p)
		if i < 0 {
			return false
		}
		text = text[i+len(p):]
	}
	return strings.HasSuffix(text, last)
}

// expectationFile is such a file as written.
type expectationFile struct {
	Cases []writtenCase `toml:"case"`
}

type writtenCase struct {
	Name     string         `toml:"name"`
	Given    map[string]any `toml:"given"`
	Recorded string         `toml:"evaluation"`
	Message  string         `toml:"message"`
	Zone     string         `toml:"zone"`
	Action   Action         `toml:"action"`
	Rule     string         `toml:"rule"`
	Reply    string         `toml:"reply"`
	Reason   string         `toml:"reason"`
	Watched  []string       `toml:"watched"`
}

// LoadExpectations reads a file.
func LoadExpectations(path string) (*Expectations, error) {
	text, err := tomlfile.Read(path)
	if err != nil {
		return nil, err
	}
	return ParseExpectations(path, text)
}

// ParseExpectations reads the text of a file of this name.
func ParseExpectations(name string, text []byte) (*Expectations, error) {
	var f expectationFile
	if err := decode(name, text, &f); err != nil {
		return nil, err
	}
	d := &document{name: name, text: text}
	if len(f.Cases) == 0 {
		return nil, d.failKey(-1, "", errors.New("there is no case in it; write one as [[case]] with name, given and action"))
	}
	d.locate()
	x := &Expectations{Name: name}
	for i := range f.Cases {
		c, err := d.oneCase(i, &f.Cases[i])
		if err != nil {
			return nil, err
		}
		x.Cases = append(x.Cases, *c)
	}
	return x, nil
}

func (d *document) oneCase(i int, w *writtenCase) (*Case, error) {
	c := &Case{Name: w.Name, Recorded: w.Recorded, Message: w.Message, Zone: w.Zone,
		Action: w.Action, Rule: w.Rule, Reply: w.Reply, Reason: w.Reason, Watched: w.Watched}
	c.Line, _ = lineColumn(d.text, d.keys[place{i, ""}].key)
	switch {
	case w.Name == "":
		return nil, d.failKey(i, "name", errors.New("a case needs a name that says what it shows"))
	case w.Action != "" && !contains(actions, w.Action):
		return nil, d.failKey(i, "action", wrongWord(string(w.Action), words(actions)))
	case w.Action == "" && w.Rule == "" && w.Reply == "" && w.Reason == "" && w.Watched == nil:
		return nil, d.failKey(i, "", errors.New("the case expects nothing; write action, rule, reply, reason or watched"))
	case w.Recorded != "" && (w.Message != "" || w.Given != nil):
		return nil, d.failKey(i, "evaluation", errors.New("a recorded evaluation stands alone, without message and given"))
	case w.Zone != "" && w.Message == "":
		return nil, d.failKey(i, "zone", errors.New("a zone answers DNS for a message; write message"))
	}
	e, now, key, err := evaluationOf(w.Given, w.Message != "")
	if err != nil {
		return nil, d.failWithin(i, "given", key, err)
	}
	c.Given, c.Now = e, now
	return c, nil
}

func contains[T comparable](all []T, one T) bool {
	for _, v := range all {
		if v == one {
			return true
		}
	}
	return false
}

// plainMessage is what a case begins with: a message from example.com that passes everything.
func plainMessage() *verify.Evaluation {
	e := &verify.Evaluation{}
	e.Client.IP = exampleIP
	e.Client.Helo, e.Client.MailFrom = "mx.example.com", "a@example.com"
	e.Client.PTR = []string{"mx.example.com"}
	e.IPRev = verify.IPRev{Result: "pass", Names: []string{"mx.example.com"}}
	e.SPF = []verify.SPF{
		{Identity: verify.IdentityMailFrom, Domain: "example.com", Result: "pass"},
		{Identity: verify.IdentityHelo, Domain: "mx.example.com", Result: "pass"},
	}
	e.DKIM = []verify.DKIM{plainSignature()}
	e.ARC.Result = "none"
	e.DMARC = verify.DMARC{
		Result: "pass", AuthorDomain: "example.com", OrganizationalDomain: "example.com", PolicyDomain: "example.com",
		Policy: "reject", Disposition: "none", Aligned: verify.Aligned{SPF: true, DKIM: true}, Record: "v=DMARC1; p=reject",
	}
	e.Author.Domains = []string{"example.com"}
	return e
}

func plainSignature() verify.DKIM {
	return verify.DKIM{Result: "pass", SDID: "example.com", Selector: "s1", AUID: "@example.com", Algorithm: "rsa-sha256",
		KeyBits: 2048, Canonicalization: "relaxed/relaxed", SignedHeaders: []string{"from"}}
}

func unsettable(key string) error {
	if n := byName[key]; n != nil {
		return fmt.Errorf("%s follows from the others; give those", key)
	}
	return unknownName(key)
}
