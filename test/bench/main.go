// Command bench measures Gatepost against a floor and against its peers, in one run, and prints ratios.
//
//	go run ./test/bench              # everything but years
//	go run ./test/bench dkim spf     # some of it: dkim, spf, gate, memory, reports, import, large, years, check, web
//
// docs/performance.md says how to read what it prints.
package main

import (
	"fmt"
	"os"
	"runtime"
)

// A section is one table. It returns an error where it could not be measured, never where a number is bad.
type section struct {
	name string
	run  func() error
	long bool // only where it is named
}

func main() {
	if run, ok := roles[os.Getenv(roleVariable)]; ok {
		run()
		return
	}
	sections := []section{
		{name: "dkim", run: benchDKIM}, {name: "spf", run: benchSPF}, {name: "gate", run: benchGate}, {name: "memory", run: benchMemory},
		{name: "reports", run: benchReports}, {name: "import", run: benchImport}, {name: "large", run: benchLarge},
		{name: "years", run: benchYears, long: true}, {name: "check", run: benchCheck, long: true}, {name: "web", run: benchWeb, long: true},
	}
	wanted := map[string]bool{}
	for _, name := range os.Args[1:] {
		wanted[name] = true
	}
	fmt.Printf("%s %s/%s, %d processors\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	for _, s := range sections {
		if len(wanted) > 0 && !wanted[s.name] || len(wanted) == 0 && s.long {
			continue
		}
		if err := s.run(); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", s.name, err)
			os.Exit(2)
		}
	}
}
