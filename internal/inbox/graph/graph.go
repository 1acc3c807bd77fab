// Package graph takes reports from a mailbox of Microsoft 365 by way of Microsoft Graph.
//
//	in, err := graph.New(graph.Options{User: "reports@example.com", OAuth: api.OAuth{Tenant: "example.com", ClientID: "…",
//		ClientSecretFile: "/etc/gatepost/graph"}})
//
// The program needs the permission Mail.ReadWrite: of an application, limited to this mailbox, or of a user.
package graph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
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
	Move   = "move"
	Delete = "delete" // for good, not to the deleted items
)

// Options say which mailbox. OAuth is needed, and User unless the token is a user's own.
type Options struct {
	OAuth   api.OAuth
	User    string        // whose mailbox: an address or an id
	Folder  string        // Inbox if empty; one below another as Inbox/Reports
	After   string        // move or delete; move if empty
	Done    string        // the folder to move to, made if there is none; Gatepost done if empty
	Bad     string        // the folder for what cannot be read; Gatepost bad if empty
	MaxSize int64         // 50 MiB if zero
	Poll    time.Duration // how often to look; 1 min if zero
	BaseURL string        // https://graph.microsoft.com/v1.0 if empty
	CAFile  string

	Spool *spool.Room
	Log   *slog.Logger
}

// New makes an input of options, or says what is wrong with them, naming the field.
func New(o Options) (*api.Poller, error) {
	o.OAuth.Provider = cmp.Or(o.OAuth.Provider, api.Microsoft)
	o.Folder = cmp.Or(o.Folder, "Inbox")
	o.After = cmp.Or(o.After, Move)
	o.Done = cmp.Or(o.Done, "Gatepost done")
	o.Bad = cmp.Or(o.Bad, "Gatepost bad")
	o.BaseURL = cmp.Or(o.BaseURL, "https://graph.microsoft.com/v1.0")
	scopes := []string{"https://graph.microsoft.com/.default"}
	if o.OAuth.RefreshTokenFile != "" {
		scopes = []string{"https://graph.microsoft.com/Mail.ReadWrite", "offline_access"}
	}
	switch {
	case o.User == "" && o.OAuth.RefreshTokenFile == "":
		return nil, option.Errorf("User", "is missing; client credentials are nobody's own")
	case o.After != Move && o.After != Delete:
		return nil, option.Errorf("After", "%q is not known; there are move and delete", o.After)
	case o.MaxSize < 0:
		return nil, option.Errorf("MaxSize", "is negative")
	case o.Poll < 0:
		return nil, option.Errorf("Poll", "is negative")
	case strings.EqualFold(o.Folder, o.Bad):
		return nil, option.Errorf("Bad", "is the folder that reports are taken from")
	case o.After == Move && strings.EqualFold(o.Folder, o.Done):
		return nil, option.Errorf("Done", "is the folder that reports are taken from")
	}
	source, err := api.NewSource(o.OAuth, scopes...)
	if err != nil {
		return nil, option.Within("OAuth", err)
	}
	client, err := api.NewClient(o.BaseURL, source, o.CAFile)
	if err != nil {
		return nil, option.Errorf("BaseURL", "%w", err)
	}
	client.Header = http.Header{"Prefer": {`IdType="ImmutableId"`}} // an id outlives a move
	if o.Spool == nil {
		o.Spool = new(spool.Room)
	}
	m := &mailbox{o: o, client: client, user: "/me"}
	name := "graph:me"
	if o.User != "" {
		m.user, name = "/users/"+url.PathEscape(o.User), "graph:"+o.User
	}
	o.MaxSize = cmp.Or(o.MaxSize, inbox.DefaultMaxSize)
	return &api.Poller{InputName: name, Folder: o.Folder, MaxSize: o.MaxSize, Every: cmp.Or(o.Poll, time.Minute), Mailbox: m, Log: o.Log}, nil
}

type mailbox struct {
	o      Options
	client *api.Client
	user   string // the path of its mailbox

	from, done, bad string // the folders' ids; empty while not known
}

// Where says where what is bad goes.
func (m *mailbox) Where() string { return "moved to " + m.o.Bad }

// Open finds the folder. Those to move to are made when something is to be moved.
func (m *mailbox) Open(ctx context.Context) (err error) {
	m.done, m.bad = "", ""
	m.from, err = m.folder(ctx, m.o.Folder, false)
	return err
}

// wellKnown are folders that have a name in every language.
var wellKnown = []string{"inbox", "archive", "deleteditems", "junkemail", "msgfolderroot"}

type folders struct {
	Value []struct {
		ID   string `json:"id"`
		Name string `json:"displayName"`
	} `json:"value"`
}

// folder finds the folder with a path, and makes what is missing of it if it may.
func (m *mailbox) folder(ctx context.Context, path string, create bool) (string, error) {
	id, at := "", m.user+"/mailFolders"
	for i, name := range strings.Split(path, "/") {
		if known := strings.ToLower(strings.ReplaceAll(name, " ", "")); i == 0 && slices.Contains(wellKnown, known) {
			id, at = known, m.user+"/mailFolders/"+known+"/childFolders"
			continue
		}
		var found folders
		filter := url.Values{"$filter": {"displayName eq '" + strings.ReplaceAll(name, "'", "''") + "'"}, "$select": {"id,displayName"}}
		if err := m.client.Do(ctx, http.MethodGet, at, filter, nil, &found); err != nil {
			return "", fmt.Errorf("folder %s: %w", path, err)
		}
		switch {
		case len(found.Value) > 0:
			id = found.Value[0].ID
		case !create:
			return "", fmt.Errorf("folder %s: there is none", path)
		default:
			var made struct {
				ID string `json:"id"`
			}
			if err := m.client.Do(ctx, http.MethodPost, at, nil, map[string]string{"displayName": name}, &made); err != nil {
				return "", fmt.Errorf("folder %s cannot be made: %w", path, err)
			}
			id = made.ID
		}
		if id == "" {
			return "", fmt.Errorf("folder %s: the service gives it no id", path)
		}
		at = m.user + "/mailFolders/" + url.PathEscape(id) + "/childFolders"
	}
	return id, nil
}

// messageSize is the property that has a message's size, about (PidTagMessageSize of MS-OXPROPS).
const messageSize = "Integer 0x0E08"

type page struct {
	Value []struct {
		ID         string    `json:"id"`
		Received   time.Time `json:"receivedDateTime"`
		Properties []struct {
			Value string `json:"value"`
		} `json:"singleValueExtendedProperties"`
	} `json:"value"`
	Next string `json:"@odata.nextLink"`
}

// List goes through the pages of the folder, the oldest message first.
func (m *mailbox) List(ctx context.Context, each func(api.Message) bool) error {
	at := m.user + "/mailFolders/" + url.PathEscape(m.from) + "/messages"
	query := url.Values{"$select": {"id,receivedDateTime"}, "$top": {"100"}, "$orderby": {"receivedDateTime asc"},
		"$expand": {"singleValueExtendedProperties($filter=id eq '" + messageSize + "')"}}
	seen := map[string]bool{}
	for at != "" {
		if seen[at] {
			return errors.New("the service's pages go round in a circle")
		}
		seen[at] = true
		var p page
		if err := m.client.Do(ctx, http.MethodGet, at, query, nil, &p); err != nil {
			return err
		}
		for _, v := range p.Value {
			if v.ID == "" {
				continue
			}
			message := api.Message{ID: v.ID, Received: v.Received.UTC()}
			if len(v.Properties) > 0 {
				message.Size, _ = strconv.ParseInt(v.Properties[0].Value, 10, 64)
			}
			if !each(message) {
				return nil
			}
		}
		at, query = p.Next, nil
	}
	return nil
}

func (m *mailbox) message(id string) string { return m.user + "/messages/" + url.PathEscape(id) }

// Fetch gets a message as MIME.
func (m *mailbox) Fetch(ctx context.Context, id string, limit int64) (body *spool.Spool, err error) {
	err = m.client.Stream(ctx, http.MethodGet, m.message(id)+"/$value", nil, nil, func(r io.Reader) error {
		body, err = m.o.Spool.Fill(r, 0, limit)
		return err
	})
	return body, err
}

// Put moves or deletes messages.
func (m *mailbox) Put(ctx context.Context, ids []string, bad bool) (done []string, err error) {
	to := &m.done
	name := m.o.Done
	if bad {
		to, name = &m.bad, m.o.Bad
	}
	if *to == "" && (bad || m.o.After == Move) {
		if *to, err = m.folder(ctx, name, true); err != nil {
			return nil, err
		}
	}
	for _, id := range ids {
		if !bad && m.o.After == Delete {
			err = m.client.Do(ctx, http.MethodDelete, m.message(id), nil, nil, nil)
		} else {
			err = m.client.Do(ctx, http.MethodPost, m.message(id)+"/move", nil, map[string]string{"destinationId": *to}, nil)
		}
		if err != nil && !api.NotFound(err) {
			return done, err
		}
		done = append(done, id)
	}
	return done, nil
}
