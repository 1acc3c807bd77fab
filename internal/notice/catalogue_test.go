package notice

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func files(t *testing.T) map[string]*file {
	t.Helper()
	entries, err := shipped.ReadDir("languages")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*file{}
	for _, e := range entries {
		text, err := shipped.ReadFile("languages/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		f, err := parse(e.Name(), text)
		if err != nil {
			t.Fatal(err)
		}
		if f.Language+".toml" != e.Name() {
			t.Errorf("%s has the language %s", e.Name(), f.Language)
		}
		all[f.Language] = f
	}
	return all
}

func TestEveryLanguageHasEveryMessageWithTheSamePlaces(t *testing.T) {
	all := files(t)
	if len(all) != 6 {
		t.Errorf("%d languages", len(all))
	}
	for name, f := range all {
		if err := complete(f, all[base]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for key, forms := range f.Plural {
			if forms["one"] == "" || forms["other"] == "" {
				t.Errorf("%s: %s lacks a form", name, key)
			}
		}
	}
}

func TestEveryFaultHasItsSentences(t *testing.T) {
	english := files(t)[base]
	var faults []string
	for _, fault := range faultOf {
		faults = append(faults, fault)
	}
	for _, fault := range append(faults, append(blocking, general, dkimChanged, spfFail)...) {
		for _, sentence := range []string{"title", "what", "why", "advice"} {
			if english.Fault[fault][sentence] == "" {
				t.Errorf("%s has no %s", fault, sentence)
			}
		}
	}
}

func TestPluralsAgreeWithTheirNumber(t *testing.T) {
	for name, want := range map[string][2]string{
		"en": {"1 message ", "2 messages"}, "de": {"1 Nachricht ", "2 Nachrichten"}, "fr": {"1 message ", "2 messages"}, "es": {"1 mensaje ", "2 mensajes"},
		"nl": {"1 bericht ", "2 berichten"}, "pt": {"1 mensagem ", "2 mensagens"},
	} {
		s := Languages().speaker(name)
		for i, n := range []int64{1, 2} {
			if got := s.say("plural.count", n); !strings.Contains(got, want[i]) {
				t.Errorf("%s, %d: %q has no %q", name, n, got, want[i])
			}
		}
	}
}

func TestTheDomainSuggestsALanguage(t *testing.T) {
	for domain, want := range map[string]string{"example.de": "de", "mail.example.at": "de", "example.br": "pt", "example.com": "en", "example.ch": "en", "de": "de", "": "en"} {
		if got := Languages().LanguageOf(domain); got != want {
			t.Errorf("%s: %s, want %s", domain, got, want)
		}
	}
}

func TestAnAdministratorsLanguageIsCheckedAndTaken(t *testing.T) {
	english, err := shipped.ReadFile("languages/en.toml")
	if err != nil {
		t.Fatal(err)
	}
	italian := strings.NewReplacer(`language = "en"`, `language = "it"`, "Kind regards", "Cordiali saluti").Replace(string(english))
	load := func(text string) (*Catalogue, error) {
		path := filepath.Join(t.TempDir(), "it.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return Load(path)
	}
	c, err := load(italian)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(c.Names(), "it") || c.LanguageOf("example.it") != "it" || c.speaker("it").say("regards") != "Cordiali saluti" {
		t.Errorf("%v, %s", c.Names(), c.speaker("it").say("regards"))
	}
	for what, text := range map[string]string{
		"regards is missing":         strings.Replace(italian, `"regards" =`, `"regrads" =`, 1),
		"the same places":            strings.Replace(italian, "More about us: %[1]s", "More about us", 1),
		"stands only before":         strings.Replace(italian, "Cordiali saluti", "100 %", 1),
		"no letter says that":        strings.Replace(italian, "[text]", "[text]\n\"odd\" = \"x\"", 1),
		"there is no key":            strings.Replace(italian, "[text]", "[tekst]", 1),
		`language "no such thing": `: strings.Replace(italian, `"it"`, `"no such thing"`, 1),
	} {
		if _, err := load(text); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
