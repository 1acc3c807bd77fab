package config

import (
	"bufio"
	"bytes"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
)

func exampleText(t *testing.T, comment bool) string {
	t.Helper()
	var b bytes.Buffer
	if err := Example(&b, comment); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestExampleInTheDocumentsIsWhatTheProgramPrints(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	if got := exampleText(t, false); got != string(text) {
		t.Errorf("%s is out of date: gatepost config example > docs/gatepost.example.toml", example)
	}
}

// every calls f with each key that there is; those of arrays and maps of tables only as a whole.
func every(prefix string, v reflect.Type, f func(key string)) {
	for i := range v.NumField() {
		name := tag(v.Field(i))
		if name == "" {
			continue
		}
		f(prefix + name)
		if t := v.Field(i).Type; isTable(t) && t.Kind() == reflect.Struct {
			every(prefix+name+".", t, f)
		}
	}
}

func TestEveryKeyHasANoteAndEveryNoteAKey(t *testing.T) {
	there := map[string]bool{}
	every("", reflect.TypeFor[Config](), func(key string) {
		there[key] = true
		n := notes[key]
		if n.text == "" {
			t.Errorf("%s has no note: write one in notes.go", key)
		}
		for line := range strings.SplitSeq(n.text+"\n"+n.sample, "\n") {
			if len(line) > 118 || strings.TrimSpace(line) != line && n.sample == "" {
				t.Errorf("%s: the line %q is too long or not trimmed", key, line)
			}
		}
	})
	for key := range notes {
		if !there[key] {
			t.Errorf("the note on %q is on no key", key)
		}
	}
}

func TestExampleIsTheDefault(t *testing.T) {
	for _, comment := range []bool{false, true} {
		got, err := Parse("example", []byte(exampleText(t, comment)))
		if err != nil || !reflect.DeepEqual(got, Default()) {
			t.Errorf("comment %v: got %+v, %v, want the defaults", comment, got, err)
		}
	}
}

func TestEverySettingOfTheCommentedExampleCanBeTakenAsItIs(t *testing.T) {
	setting := regexp.MustCompile(`^#([^ ].*)$`)
	var b strings.Builder
	for s := bufio.NewScanner(strings.NewReader(exampleText(t, true))); s.Scan(); {
		line := s.Text()
		if m := setting.FindStringSubmatch(line); m != nil {
			line = m[1]
		} else if line != "" && !strings.HasPrefix(line, "# ") {
			t.Errorf("%q is neither prose nor commented out", line)
		}
		b.WriteString(line + "\n")
	}
	if _, err := Parse("example", []byte(b.String())); err != nil {
		t.Error(err)
	}
	every("", reflect.TypeFor[Config](), func(key string) {
		if line, _ := locate([]byte(b.String()), key); line == 1 && !strings.Contains(b.String(), "["+key+"]") {
			t.Errorf("the example does not show %s", key)
		}
	})
}

func TestDurationsAreWrittenAsPeopleDo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		2 * time.Hour: "2h", 20 * time.Minute: "20m", 90 * time.Second: "1m30s", 0: "0s", 10 * time.Second: "10s",
		time.Hour + time.Second: "1h0m1s", 100 * time.Hour: "100h", 90 * time.Minute: "1h30m",
	} {
		got, err := Duration(d).MarshalText()
		var again Duration
		if err != nil || string(got) != want || again.UnmarshalText(got) != nil || time.Duration(again) != d {
			t.Errorf("%v: got %s, %v, want %s", d, got, err, want)
		}
	}
}

func TestWhatIsWrittenReadsTheSame(t *testing.T) {
	text := []byte("listen = [\"unix:/run/a\\\"b\\u007f\"]\nown_networks = [\"192.0.2.0/24\"]\n[limits]\ntime = \"90s\"\n[log]\nlevel = \"debug\"\n")
	c, err := Parse("f", text)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := c.Write(&b); err != nil {
		t.Fatal(err)
	}
	again, err := Parse("g", b.Bytes())
	if err != nil || !reflect.DeepEqual(c, again) {
		t.Errorf("got %+v, %v, want %+v from\n%s", again, err, c, &b)
	}
}

// A kind has every sort of value that a configuration may come to have.
type kind struct {
	Plain  string            `toml:"plain"`
	Secret string            `toml:"secret" secret:"true"`
	Unset  string            `toml:"unset" secret:"true"`
	DSN    string            `toml:"dsn"`
	Many   []inner           `toml:"many"`
	Named  map[string]inner  `toml:"named"`
	Words  map[string]string `toml:"words"`
	One    *inner            `toml:"one"`
	Skip   int               `toml:"-"`
	Ratio  float64           `toml:"ratio"`
}

type inner struct {
	Key  string   `toml:"key"`
	List []string `toml:"list"`
}

func TestSecretsAreNotShownAndEverythingElseIs(t *testing.T) {
	v := kind{
		Plain: "a\tb \"c\" é <>", Secret: "hunter2", DSN: "postgres://gate:hunter2@127.0.0.1/gatepost", Ratio: 0.5,
		Many: []inner{{Key: "1"}, {Key: "2", List: []string{"x", "y"}}}, Named: map[string]inner{"example.com": {Key: "3"}, "b": {Key: "4"}},
		Words: map[string]string{"k": "v"}, One: &inner{Key: "5"},
	}
	var b bytes.Buffer
	p := &printer{w: bufio.NewWriter(&b)}
	p.table("", reflect.ValueOf(v))
	p.w.Flush()
	if strings.Contains(b.String(), "hunter2") {
		t.Errorf("a secret is shown:\n%s", &b)
	}
	var got kind
	if err := toml.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatalf("%v in\n%s", err, &b)
	}
	want := v
	want.Secret, want.DSN = hidden, "postgres://gate:xxxxx@127.0.0.1/gatepost"
	for _, i := range []*inner{&want.Many[0], want.One} {
		i.List = []string{}
	}
	want.Named = map[string]inner{"example.com": {"3", []string{}}, "b": {"4", []string{}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v\nfrom\n%s", got, want, &b)
	}
}

func TestPasswordsInTheQueryOfAnAddressAreHiddenToo(t *testing.T) {
	for address, want := range map[string]string{
		"postgres://u@db/gatepost?sslmode=require&password=hunter2":     "postgres://u@db/gatepost?sslmode=require&password=xxxxx",
		"postgres://u:hunter2@db/gatepost?sslpassword=hunter2&a=b":      "postgres://u:xxxxx@db/gatepost?sslpassword=xxxxx&a=b",
		"postgres://u@db/gatepost?sslmode=require&search_path=gatepost": "postgres://u@db/gatepost?sslmode=require&search_path=gatepost",
	} {
		if got := withoutPassword(address); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}
