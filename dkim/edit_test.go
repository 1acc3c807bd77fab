package dkim

import (
	"strings"
	"testing"
)

func TestATagIsChangedAndTheRestStays(t *testing.T) {
	for _, c := range []struct{ list, name, value, want string }{
		{"v=DKIM1; k=rsa; p=AAAA", "p", "BBBB", "v=DKIM1; k=rsa; p=BBBB"},
		{"v=DKIM1;k = rsa ;p=AA AA;", "k", "ed25519", "v=DKIM1;k = ed25519 ;p=AA AA;"},
		{"p=AAAA", "t", "s", "p=AAAA; t=s"},
		{"p=AAAA; ", "t", "s", "p=AAAA; t=s"},
		{"p=; t=s", "p", "AAAA", "p=AAAA; t=s"},
		{"p= ; t=s", "p", "AAAA", "p=AAAA ; t=s"},
		{"t=y; x=1; p=A", "t", "", "t=; x=1; p=A"},
		{"", "p", "A", "p=A"},
	} {
		if got, err := SetTag(c.list, c.name, c.value); err != nil || got != c.want {
			t.Errorf("%q: %s=%s\ngot  %q, %v\nwant %q", c.list, c.name, c.value, got, err, c.want)
		}
	}
}

func TestATagIsTakenOutAndTheRestStays(t *testing.T) {
	for _, c := range []struct{ list, name, want string }{
		{"v=DKIM1; t=y; p=AAAA", "t", "v=DKIM1; p=AAAA"},
		{"v=DKIM1;  k=rsa;t=y;\tp=AAAA;", "t", "v=DKIM1;  k=rsa;\tp=AAAA;"},
		{"g=*; p=AAAA", "g", "p=AAAA"},
		{"p=AAAA; t=y", "t", "p=AAAA"},
		{"p=AAAA; t=y; ", "t", "p=AAAA; "},
		{"p=AAAA; q=dns; z=1; q=dns", "q", "p=AAAA; z=1"},
		{"p=AAAA", "t", "p=AAAA"},
	} {
		if got, err := RemoveTag(c.list, c.name); err != nil || got != c.want {
			t.Errorf("%q without %s\ngot  %q, %v\nwant %q", c.list, c.name, got, err, c.want)
		}
	}
}

func TestWhatIsThereTwiceIsTakenOutOnlyWhereBothSayTheSame(t *testing.T) {
	got, err := RemoveRepeatedTags("v=DKIM1; k=rsa; k=rsa; p=AAAA")
	if want := "v=DKIM1; k=rsa; p=AAAA"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if got, err := RemoveRepeatedTags("v=DKIM1; p=AAAA; p=BBBB"); err == nil {
		t.Errorf("two keys became %q", got)
	}
}

func TestTheVersionIsMovedToTheFront(t *testing.T) {
	for list, want := range map[string]string{
		"k=rsa; v=DKIM1; p=AAAA":  "v=DKIM1; k=rsa; p=AAAA",
		"k=rsa; p=AAAA; v=DKIM1":  "v=DKIM1; k=rsa; p=AAAA",
		" k=rsa;p=AAAA;v=DKIM1; ": "v=DKIM1; k=rsa;p=AAAA; ",
		"v=DKIM1; p=AAAA":         "v=DKIM1; p=AAAA",
	} {
		if got, err := MoveTagFirst(list, "v"); err != nil || got != want {
			t.Errorf("%q\ngot  %q, %v\nwant %q", list, got, err, want)
		}
	}
	if got, err := MoveTagFirst("p=AAAA", "v"); err == nil {
		t.Errorf("a tag that is not there was moved: %q", got)
	}
}

func TestWhatIsNoTagIsNotPutIn(t *testing.T) {
	for _, c := range [][2]string{{"p", "a;b=c"}, {"p", "a\x00"}, {"1", "a"}, {"", "a"}, {"p;q", "a"}, {"p", " a"}} {
		if got, err := SetTag("v=DKIM1; p=A", c[0], c[1]); err == nil {
			t.Errorf("%q=%q: got %q", c[0], c[1], got)
		}
	}
}

func FuzzEditTags(f *testing.F) {
	f.Add("v=DKIM1; k=rsa; p=AAAA", "k")
	f.Add(" k=rsa;p=AA\r\n AA;v=DKIM1; ", "v")
	f.Add("a=;a=;b=", "a")
	f.Fuzz(func(t *testing.T, list, name string) {
		before, err := EveryTag(list)
		if err != nil {
			return
		}
		var rest []Tag
		for _, tag := range before {
			if tag.Name != name {
				rest = append(rest, tag)
			}
		}
		if out, err := RemoveTag(list, name); err != nil {
			t.Fatalf("%q without %q: %v", list, name, err)
		} else if len(rest) > 0 {
			sameTags(t, list, out, rest)
		} else if strings.TrimSpace(out) != "" {
			t.Fatalf("%q without %q: %q is left", list, name, out)
		}
		if len(rest) == len(before) {
			return
		}
		moved, err := MoveTagFirst(list, name)
		if err != nil {
			t.Fatalf("%q: %q first: %v", list, name, err)
		}
		if after, err := EveryTag(moved); err != nil || after[0].Name != name || len(after) != len(before) {
			t.Fatalf("%q: %q first is %q: %v", list, name, moved, err)
		}
		set, err := SetTag(list, name, "value")
		if err != nil {
			t.Fatalf("%q: %q=value: %v", list, name, err)
		}
		for i := range before {
			if before[i].Name == name {
				before[i].Value = "value"
				break
			}
		}
		sameTags(t, list, set, before)
	})
}

func sameTags(t *testing.T, before, list string, want []Tag) {
	t.Helper()
	got, err := EveryTag(list)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%q became %q: %v", before, list, err)
	}
	for i := range got {
		if got[i].Name != want[i].Name || got[i].Value != want[i].Value {
			t.Fatalf("%q became %q: %v, want %v", before, list, got[i], want[i])
		}
	}
}
