// Package gmail takes reports from a mailbox at Google by way of the Gmail API.
//
//	in, err := gmail.New(gmail.Options{OAuth: api.OAuth{ClientID: "…", ClientSecretFile: "…", RefreshTokenFile: "…"}})
//
// The token needs the scope gmail.modify. A folder is a label there: to move a message is to take one label from it and give it another.
package gmail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/inbox"
	"github.com/gatepost-mail/gatepost/internal/inbox/api"
	"github.com/gatepost-mail/gatepost/internal/option"
	"github.com/gatepost-mail/gatepost/internal/spool"
)

// What becomes of a message after what it holds is committed.
const (
	Move  = "move"  // to another label
	Trash = "trash" // Google deletes it after 30 days
)

// Options say which mailbox. OAuth is needed.
type Options struct {
	OAuth   api.OAuth
	User    string        // whose mailbox; that of the token if empty
	Label   string        // INBOX if empty
	After   string        // move or trash; move if empty
	Done    string        // the label to move to, made if there is none; Gatepost/Done if empty
	Bad     string        // the label for what cannot be read; Gatepost/Bad if empty
	MaxSize int64         // 50 MiB if zero
	Poll    time.Duration // how often to look; 1 min if zero
	BaseURL string        // https://gmail.googleapis.com/gmail/v1 if empty
	CAFile  string

	Spool *spool.Room
	Log   *slog.Logger
}

// New makes an input of options, or says what is wrong with them, naming the field.
func New(o Options) (*api.Poller, error) {
	o.OAuth.Provider = cmp.Or(o.OAuth.Provider, api.Google)
	o.Label = cmp.Or(o.Label, "INBOX")
	o.After = cmp.Or(o.After, Move)
	o.Done = cmp.Or(o.Done, "Gatepost/Done")
	o.Bad = cmp.Or(o.Bad, "Gatepost/Bad")
	o.BaseURL = cmp.Or(o.BaseURL, "https://gmail.googleapis.com/gmail/v1")
	switch {
	case o.After != Move && o.After != Trash:
		return nil, option.Errorf("After", "%q is not known; there are move and trash", o.After)
	case o.MaxSize < 0:
		return nil, option.Errorf("MaxSize", "is negative")
	case o.Poll < 0:
		return nil, option.Errorf("Poll", "is negative")
	case strings.EqualFold(o.Label, o.Bad):
		return nil, option.Errorf("Bad", "is the label that reports are taken from")
	case o.After == Move && strings.EqualFold(o.Label, o.Done):
		return nil, option.Errorf("Done", "is the label that reports are taken from")
	}
	source, err := api.NewSource(o.OAuth, "https://www.googleapis.com/auth/gmail.modify")
	if err != nil {
		return nil, option.Within("OAuth", err)
	}
	client, err := api.NewClient(o.BaseURL, source, o.CAFile)
	if err != nil {
		return nil, option.Errorf("BaseURL", "%w", err)
	}
	if o.Spool == nil {
		o.Spool = new(spool.Room)
	}
	o.MaxSize = cmp.Or(o.MaxSize, inbox.DefaultMaxSize)
	user := cmp.Or(o.User, "me")
	m := &mailbox{o: o, client: client, user: "/users/" + url.PathEscape(user)}
	return &api.Poller{InputName: "gmail:" + user, Folder: o.Label, MaxSize: o.MaxSize, Every: cmp.Or(o.Poll, time.Minute), Mailbox: m, Log: o.Log}, nil
}

type mailbox struct {
	o      Options
	client *api.Client
	user   string // the path of its mailbox

	from, done, bad string // the labels' ids; empty while not known
}

// Where says where what is bad goes.
func (m *mailbox) Where() string { return "moved to " + m.o.Bad }

// Open finds the label. Those to move to are made when something is to be moved.
func (m *mailbox) Open(ctx context.Context) (err error) {
	m.done, m.bad = "", ""
	m.from, err = m.label(ctx, m.o.Label, false)
	return err
}

// label finds the id of a label, and makes it if there is none and it may.
func (m *mailbox) label(ctx context.Context, name string, create bool) (string, error) {
	type label struct {
		ID   string `json:"id,omitempty"`
		Name string `json:"name"`
	}
	var all struct {
		Labels []label `json:"labels"`
	}
	if err := m.client.Do(ctx, http.MethodGet, m.user+"/labels", nil, nil, &all); err != nil {
		return "", fmt.Errorf("label %s: %w", name, err)
	}
	for _, l := range all.Labels {
		if l.ID != "" && strings.EqualFold(l.Name, name) {
			return l.ID, nil
		}
	}
	if !create {
		return "", fmt.Errorf("label %s: there is none", name)
	}
	var made label
	if err := m.client.Do(ctx, http.MethodPost, m.user+"/labels", nil, label{Name: name}, &made); err != nil {
		return "", fmt.Errorf("label %s cannot be made: %w", name, err)
	}
	if made.ID == "" {
		return "", fmt.Errorf("label %s: the service gives it no id", name)
	}
	return made.ID, nil
}

// List goes through the pages of the label. A list has no sizes; those that are too large are asked for apart, which is one request more and
// not one for each message.
func (m *mailbox) List(ctx context.Context, each func(api.Message) bool) error {
	large := map[string]bool{}
	err := m.pages(ctx, "larger:"+strconv.FormatInt(m.o.MaxSize, 10), func(id string) bool {
		large[id] = true
		return len(large) < 10_000
	})
	if err != nil {
		return err
	}
	return m.pages(ctx, "", func(id string) bool {
		message := api.Message{ID: id}
		if large[id] {
			message.Size = m.o.MaxSize + 1
		}
		return each(message)
	})
}

func (m *mailbox) pages(ctx context.Context, search string, each func(id string) bool) error {
	query := url.Values{"labelIds": {m.from}, "maxResults": {"500"}, "fields": {"messages/id,nextPageToken"}}
	if search != "" {
		query.Set("q", search)
	}
	for seen := map[string]bool{}; ; {
		var page struct {
			Messages []struct {
				ID string `json:"id"`
			} `json:"messages"`
			Next string `json:"nextPageToken"`
		}
		if err := m.client.Do(ctx, http.MethodGet, m.user+"/messages", query, nil, &page); err != nil {
			return err
		}
		for _, v := range page.Messages {
			if v.ID != "" && !each(v.ID) {
				return nil
			}
		}
		if page.Next == "" {
			return nil
		}
		if seen[page.Next] {
			return errors.New("the service's pages go round in a circle")
		}
		seen[page.Next] = true
		query.Set("pageToken", page.Next)
	}
}

func (m *mailbox) message(id string) string { return m.user + "/messages/" + url.PathEscape(id) }

// Fetch gets a message as it came.
func (m *mailbox) Fetch(ctx context.Context, id string, limit int64) (body *spool.Spool, err error) {
	query := url.Values{"format": {"raw"}, "fields": {"raw"}}
	err = m.client.Stream(ctx, http.MethodGet, m.message(id), query, nil, func(r io.Reader) error {
		return readRaw(r, func(raw io.Reader) error {
			if body != nil {
				return errors.New("the message is there twice")
			}
			body, err = m.o.Spool.Fill(raw, 0, limit)
			return err
		})
	})
	if err == nil && body == nil {
		err = &api.StatusError{Status: http.StatusOK, Message: "no message is in the answer"}
	}
	if err != nil && body != nil {
		body.Close()
		body = nil
	}
	return body, err
}

// Put gives messages their new label, or moves them to the trash.
func (m *mailbox) Put(ctx context.Context, ids []string, bad bool) (done []string, err error) {
	if !bad && m.o.After == Trash {
		for _, id := range ids {
			if err := m.client.Do(ctx, http.MethodPost, m.message(id)+"/trash", nil, nil, nil); err != nil && !api.NotFound(err) {
				return done, err
			}
			done = append(done, id)
		}
		return done, nil
	}
	to := &m.done
	name := m.o.Done
	if bad {
		to, name = &m.bad, m.o.Bad
	}
	if *to == "" {
		if *to, err = m.label(ctx, name, true); err != nil {
			return nil, err
		}
	}
	change := map[string][]string{"ids": ids, "addLabelIds": {*to}, "removeLabelIds": {m.from}}
	err = m.client.Do(ctx, http.MethodPost, m.user+"/messages/batchModify", nil, change, nil)
	if err != nil {
		return nil, err
	}
	return ids, nil
}
