package senders

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"
)

const (
	maxDatabase  = 1 << 30
	lookEvery    = 10 * time.Second // at whether a file has changed
	maxNetworkID = 200              // characters of a name, and of a country
)

// Networks tells the network and the country of an address from files in MaxMind's format that the administrator gives: those of
// GeoLite2, of DB-IP and of IPinfo, one for networks and one for countries or both in one. None comes with Gatepost. A file that
// changes is read again; one that can't be read leaves in use what was read before.
type Networks struct {
	log *slog.Logger
	now func() time.Time

	mu     sync.Mutex
	files  []*database
	looked time.Time
}

// A database is one file. It is held in memory: a file that is mapped, and then cut short, ends the program.
type database struct {
	path   string
	info   os.FileInfo // of what was tried last
	reader *maxminddb.Reader
}

// OpenNetworks reads the files. The error names the one that can't be read.
func OpenNetworks(log *slog.Logger, paths ...string) (*Networks, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	n := &Networks{log: log, now: time.Now}
	for _, path := range paths {
		d := &database{path: path}
		if err := d.read(); err != nil {
			return nil, err
		}
		n.files = append(n.files, d)
	}
	n.looked = n.now()
	return n, nil
}

var errNoFile = errors.New("not a file")

func (d *database) read() error {
	info, err := os.Stat(d.path)
	if err != nil {
		return err
	}
	d.info = info
	switch {
	case !info.Mode().IsRegular():
		return &os.PathError{Op: "read", Path: d.path, Err: errNoFile}
	case info.Size() > maxDatabase:
		return fmt.Errorf("%s: larger than %d bytes", d.path, maxDatabase)
	}
	bytes, err := os.ReadFile(d.path)
	if err != nil {
		return err
	}
	reader, err := maxminddb.OpenBytes(bytes)
	if err != nil {
		return fmt.Errorf("%s: no database in MaxMind's format: %w", d.path, err)
	}
	d.reader = reader
	return nil
}

// refresh reads again what has changed.
func (n *Networks) refresh() {
	if now := n.now(); now.Sub(n.looked) >= lookEvery || now.Before(n.looked) {
		n.looked = now
	} else {
		return
	}
	for _, d := range n.files {
		info, err := os.Stat(d.path)
		if err == nil && os.SameFile(info, d.info) && info.ModTime().Equal(d.info.ModTime()) && info.Size() == d.info.Size() {
			continue
		}
		if err == nil {
			err = d.read()
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) { // it is away for a moment while it is replaced
			n.log.Warn("a database of networks can't be read, and what it said before stays in use", "file", d.path, "error", err)
		}
	}
}

// A Network is whose address it is.
type Network struct {
	ASN     uint32 // 0: not known
	Name    string
	Country string // ISO 3166, two letters
}

// Look finds the network of an address. What no file knows stays empty.
func (n *Networks) Look(ip netip.Addr) Network {
	var found Network
	if n == nil {
		return found
	}
	n.mu.Lock()
	n.refresh()
	readers := make([]*maxminddb.Reader, 0, 2)
	for _, d := range n.files {
		readers = append(readers, d.reader)
	}
	n.mu.Unlock()
	for _, r := range readers {
		var rec record
		if err := r.Lookup(ip.Unmap().WithZone("")).Decode(&rec); err != nil {
			continue
		}
		found.add(&rec)
	}
	return found
}

// A record has the members of all the shapes: GeoLite2's and DB-IP's autonomous_system_… and country.iso_code; IPinfo's asn "AS64500",
// as_name, and country "DE" or, in newer files, country_code.
type record struct {
	Number      uint32 `maxminddb:"autonomous_system_number"`
	Owner       string `maxminddb:"autonomous_system_organization"`
	ASN         any    `maxminddb:"asn"`
	ASName      string `maxminddb:"as_name"`
	Country     any    `maxminddb:"country"`
	CountryCode string `maxminddb:"country_code"`
}

func (n *Network) add(r *record) {
	if n.ASN == 0 {
		n.ASN, n.Name = r.Number, cut(r.Owner)
		if asn := number(r.ASN); n.ASN == 0 && asn != 0 {
			n.ASN, n.Name = asn, cut(r.ASName)
		}
	}
	if n.Country != "" {
		return
	}
	code := r.CountryCode
	switch c := r.Country.(type) {
	case string:
		if code == "" {
			code = c
		}
	case map[string]any:
		if iso, ok := c["iso_code"].(string); ok {
			code = iso
		}
	}
	if len(code) == 2 {
		n.Country = strings.ToUpper(code)
	}
}

func number(v any) uint32 {
	switch v := v.(type) {
	case string:
		n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(v), "AS"), 10, 32)
		if err == nil {
			return uint32(n)
		}
	case uint64:
		if v <= 1<<32-1 {
			return uint32(v)
		}
	}
	return 0
}

func cut(s string) string {
	if r := []rune(s); len(r) > maxNetworkID {
		return string(r[:maxNetworkID])
	}
	return s
}
