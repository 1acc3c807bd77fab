# make run    the gate, a milter on 127.0.0.1:8891, and the dashboard on 127.0.0.1:8080, with no configuration
# make test   every check and every test; as root it installs what they need
#
# The others: build, lint, cross, fuzz (FUZZTIME=1m a target), deb (dist/gatepost_VERSION_ARCH.deb); bench, bench-gate (against rspamd
# and opendkim with opendmarc), bench-store (ten million rows in SQLite and in PostgreSQL: half an hour, and 6 GB of the directory for
# temporary files), bench-check (ten thousand domains audited, and a hundred by checkdmarc too), soak (SOAK=1h of mixed mail), soak-store (an hour's mail with the store away, and an hour's flood of
# made up names: four minutes, and 3 GB of the directory for temporary files), soak-reports (reports by every input while gatepost and its
# databases are killed KILLS times, and a report of a million records: a quarter of an hour), bench-web (the dashboard with ten million rows:
# a quarter of an hour to make them), screenshots (pictures of every page, in dist/screenshots, and those of the tour).

GO       ?= go
FUZZTIME ?= 1m
SOAK     ?= 1h
KILLS    ?= 300
# Each system and each architecture once.
PLATFORMS = linux/arm64 darwin/arm64 windows/amd64
# Packages with tests that are left out beside the race detector.
RACED   = github.com/gatepost-mail/gatepost/internal/raced
UNRACED = $(sort $(shell $(GO) list -test -f '{{range .Deps}}{{if eq . "$(RACED)"}}{{$$.ForTest}}{{end}}{{end}}' ./...))
# Where the tests put their files, and where go puts what it builds.
TESTDIRS = GOTMPDIR=$${TMPDIR:-/tmp} TMPDIR=$$(scripts/test-dir)
# Test programs need no tables for debuggers, which take a third of the time to link them.
TESTFLAGS = -p 4 -ldflags=-w

.PHONY: run build test lint cross bench bench-gate bench-store bench-check soak soak-store soak-reports fuzz deb bench-web screenshots

run:
	$(GO) run ./cmd/gatepost serve

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/gatepost ./cmd/gatepost

test: lint cross
	scripts/test-deps
	$(TESTDIRS) $(GO) test $(TESTFLAGS) -race -timeout 9m ./...
	$(TESTDIRS) $(GO) test $(TESTFLAGS) $(UNRACED)

lint:
	@out=$$(gofmt -l .); [ -z "$$out" ] || { echo "gofmt -w is due on:"; echo "$$out"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

cross:
	@for p in $(PLATFORMS); do \
		echo "build $$p"; \
		CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build -o /dev/null ./cmd/gatepost || exit 1; \
	done

bench:
	scripts/test-deps postgresql
	$(GO) run ./test/bench

bench-store:
	scripts/test-deps postgresql
	$(GO) run ./test/bench years

bench-check:
	$(GO) run ./test/bench check

bench-web:
	scripts/test-deps chromium
	$(GO) run ./test/bench web

screenshots:
	scripts/test-deps chromium
	$(GO) run ./test/browser/screenshots -out dist/screenshots
	$(GO) run ./test/browser/screenshots -tour docs/pictures

bench-gate:
	scripts/test-deps rspamd opendkim opendmarc publicsuffix
	$(GO) run ./test/benchgate

soak:
	$(GO) run ./test/soak -time $(SOAK)

soak-store:
	GATEPOST_FULL=1 $(GO) test -count=1 -timeout 60m -v -run Flat ./internal/observe

soak-reports:
	scripts/test-deps dovecot-imapd postgresql
	GATEPOST_KILLS=$(KILLS) GATEPOST_ROWS=1000000 $(GO) test -count=1 -timeout 30m -v -run 'WhileItImports|NumberOfRecords' ./internal/cli
	GATEPOST_KILLS=$(KILLS) $(GO) test -count=1 -timeout 60m -v ./test/reports

fuzz:
	FUZZTIME=$(FUZZTIME) scripts/fuzz

deb:
	GO=$(GO) packaging/deb/build
