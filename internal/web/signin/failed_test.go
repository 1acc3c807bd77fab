package signin

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/people"
)

func TestFailuresDoNotFillTheAuditLog(t *testing.T) {
	h := newHouse(t)
	h.person("ada", good)
	r := httptest.NewRequest("POST", "/sign-in", nil)
	for range 10 * failuresAtOnce {
		h.door.failed(r, "ada", "wrong name or password")
	}
	if n := len(h.events()); n != failuresAtOnce {
		t.Errorf("%d events", n)
	}
	h.advance(failureEvery)
	h.door.failed(r, "ada", "wrong name or password")
	if n := len(h.events()); n != failuresAtOnce+1 {
		t.Errorf("%d events", n)
	}
}

func TestFailuresOfOneHideThoseOfNobodyElse(t *testing.T) {
	h := newHouse(t)
	h.person("ada", good)
	h.person("eve", good)
	r := httptest.NewRequest("POST", "/sign-in", nil)
	for _, flood := range []string{"", "nobody", "eve"} {
		for range 2 * failuresAtOnce {
			h.door.failed(r, flood, "wrong name or password")
		}
	}
	h.door.failed(r, "ada", "wrong code")
	if e := h.lastEvent(); e.About != "ada" || e.Who != "ada" || e.Detail != "wrong code" {
		t.Errorf("%+v", e)
	}
}

func TestALineSaysHowManyBeforeItWereLeftOut(t *testing.T) {
	h := newHouse(t)
	h.person("ada", good)
	r := httptest.NewRequest("POST", "/sign-in", nil)
	fail := func(name string, times int) people.Event {
		for range times {
			h.door.failed(r, name, "wrong name or password")
		}
		return h.lastEvent()
	}
	for _, name := range []string{"ada", ""} {
		if e := fail(name, failuresAtOnce+214); e.Detail != "wrong name or password" {
			t.Errorf("%+v", e)
		}
		h.advance(failureEvery)
		if e := fail(name, 1); e.About != name || e.Detail != "wrong name or password; … and 214 more before it that were not logged" {
			t.Errorf("%+v", e)
		}
		fail(name, 1)
		h.advance(failureEvery)
		if e := fail(name, 1); !strings.HasSuffix(e.Detail, "; … and 1 more before it that was not logged") {
			t.Errorf("%+v", e)
		}
		h.advance(failureEvery)
		if e := fail(name, 1); e.Detail != "wrong name or password" {
			t.Errorf("it is said twice: %+v", e)
		}
	}
}
