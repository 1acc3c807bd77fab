package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// rawChunk is how much of what arrived is held in memory at once.
const rawChunk = 256 << 10

// A packer compresses; its encoders are made when they are needed first, since each holds memory.
type packer struct {
	mu     sync.Mutex
	stream *zstd.Encoder
	decode *zstd.Decoder
}

var encoding = []zstd.EOption{zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(256 << 10),
	zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithZeroFrames(true)}

// encoder gives the one encoder. Only who has the right to write uses it.
func (p *packer) encoder() *zstd.Encoder {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stream == nil {
		p.stream, _ = zstd.NewWriter(nil, encoding...) // the options are in order
	}
	return p.stream
}

// unpack gives what a chunk of rows holds.
func (p *packer) unpack(data []byte) ([]byte, error) {
	p.mu.Lock()
	if p.decode == nil {
		p.decode, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxChunkBytes), zstd.WithDecoderLowmem(true))
	}
	d := p.decode
	p.mu.Unlock()
	return d.DecodeAll(data, nil)
}

func (p *packer) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.decode != nil {
		p.decode.Close()
	}
}

// chunks writes a stream into the chunks of a raw.
type chunks struct {
	ctx context.Context
	tx  *transaction
	raw int64
	n   int64
	buf []byte
}

func (c *chunks) Write(p []byte) (int, error) {
	all := len(p)
	for len(p) > 0 {
		n := min(len(p), rawChunk-len(c.buf))
		c.buf = append(c.buf, p[:n]...)
		p = p[n:]
		if len(c.buf) == rawChunk {
			if err := c.flush(); err != nil {
				return 0, err
			}
		}
	}
	return all, nil
}

func (c *chunks) flush() error {
	if len(c.buf) == 0 {
		return nil
	}
	err := c.tx.later(c.ctx, `INSERT INTO raw_chunks (raw, n, data) VALUES ($1, $2, $3)`, c.raw, c.n, c.buf)
	c.n++
	c.buf = c.buf[:0]
	return err
}

// A storedRaw is a row of raws.
type storedRaw struct {
	id     int64
	hash   Hash
	at     int64
	dmarc  string
	token  string
	chunks int64

	reports int64 // found in it
	refused bool  // something in it was
}

const selectRaw = `SELECT id, at, dmarc, token_domain, chunks, reports, refusals <> '' FROM raws WHERE hash = $1`

func (w *arriving) findRaw(ctx context.Context, h Hash) (r storedRaw, found bool, err error) {
	r.hash = h
	err = w.tx.QueryRowContext(ctx, selectRaw, h[:]).Scan(&r.id, &r.at, &r.dmarc, &r.token, &r.chunks, &r.reports, &r.refused)
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	return r, err == nil, err
}

var insertRaw = newNumbered("raws", `hash, size, chunks, reports, name, input, at, client_ip, mail_from, author_domain, dmarc, token_domain,
	refusals, times, last_at`, `$1, $2, 0, 0, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, $5`, 11)

// addRaw writes what arrived, byte for byte.
func (w *arriving) addRaw(ctx context.Context, a *Arrival) (storedRaw, error) {
	raw := &a.Raw
	r := storedRaw{hash: raw.Hash, at: micros(raw.At), dmarc: clean(raw.DMARC, maxWord), token: clean(raw.TokenDomain, maxLongText)}
	var err error
	r.id, err = w.insert(ctx, insertRaw, raw.Hash[:], raw.Size, clean(raw.Name, maxText), clean(raw.Input, maxText), r.at,
		clean(raw.ClientIP, maxWord), clean(raw.MailFrom, maxAddress), clean(raw.AuthorDomain, maxDomain), r.dmarc, r.token, a.refusals())
	if err != nil {
		return r, err
	}
	if raw.Open == nil {
		return r, fmt.Errorf("store: %s: no bytes", raw.Name)
	}
	from, err := raw.Open()
	if err != nil {
		return r, &ArrivalError{raw.Name, err}
	}
	defer from.Close()
	if w.chunk == nil {
		w.chunk = make([]byte, 0, rawChunk)
	}
	to := chunks{ctx: ctx, tx: w.tx, raw: r.id, buf: w.chunk[:0]}
	pack := w.d.packer.encoder()
	pack.Reset(&to)
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(hash, pack), &patient{ctx: w.ctx, name: raw.Name, r: from})
	if err := errors.Join(err, pack.Close()); err != nil {
		return r, err
	}
	if err := to.flush(); err != nil {
		return r, err
	}
	if size != raw.Size || Hash(hash.Sum(nil)) != raw.Hash {
		return r, &ArrivalError{raw.Name, errChanged}
	}
	r.chunks = to.n
	return r, w.tx.later(ctx, `UPDATE raws SET chunks = $2 WHERE id = $1`, r.id, r.chunks)
}

// refusals are never empty where there is no report.
func (a *Arrival) refusals() string {
	if len(a.Reports)+len(a.Refusals) == 0 {
		return texts([]string{"there is no report in it"})
	}
	return texts(a.Refusals)
}

// A patient reader asks the context as it goes, and says whose fault an error is.
type patient struct {
	ctx  context.Context
	name string
	r    io.Reader
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := p.r.Read(b)
	if err != nil && err != io.EOF {
		err = &ArrivalError{p.name, err}
	}
	return n, err
}

// The bounds of lists of texts that are kept beside a report.
const (
	maxTexts    = 100
	maxLongText = 1024
)

// texts is a list as columns have it, without what is beyond the bounds.
func texts(all []string) string {
	if len(all) == 0 {
		return ""
	}
	if len(all) > maxTexts {
		all = append(all[:maxTexts:maxTexts], fmt.Sprintf("and %d more", len(all)-maxTexts))
	}
	bounded := make([]string, len(all))
	for i := range all {
		bounded[i] = clean(all[i], maxLongText)
	}
	b, _ := json.Marshal(bounded) // strings
	return string(b)
}

func splitTexts(column string) ([]string, error) {
	if column == "" {
		return nil, nil
	}
	var all []string
	err := json.Unmarshal([]byte(column), &all)
	return all, err
}
