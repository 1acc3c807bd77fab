//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/test/bench/lab"
)

// A sample is what the gate took at one time. What is not known is negative.
type sample struct {
	at                                               time.Duration
	resident, heap, descriptors, threads, goroutines float64
}

func (g *gate) sample() (sample, error) {
	pid := g.process.PID()
	resident, err := lab.Memory(pid)
	if err != nil {
		return sample{}, err
	}
	descriptors, err := lab.Descriptors(pid)
	if err != nil {
		return sample{}, err
	}
	threads, err := lab.Threads(pid)
	if err != nil {
		return sample{}, err
	}
	x := sample{resident: float64(resident), heap: float64(g.log.heap.Load()), descriptors: float64(descriptors), threads: float64(threads), goroutines: -1}
	if g.metrics == "" {
		return x, nil
	}
	figures, err := scrape(g.metrics)
	if n, ok := figures["go_goroutines"]; ok {
		x.goroutines = n
	}
	return x, err
}

// scrape reads the figures without labels of a Prometheus endpoint.
func scrape(url string) (map[string]float64, error) {
	client := http.Client{Timeout: 10 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	return figures(response.Body)
}

func figures(r io.Reader) (map[string]float64, error) {
	all := map[string]float64{}
	lines := bufio.NewScanner(io.LimitReader(r, 16<<20))
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if !ok || strings.HasPrefix(name, "#") || strings.Contains(name, "{") {
			continue
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			all[name] = v
		}
	}
	return all, lines.Err()
}
