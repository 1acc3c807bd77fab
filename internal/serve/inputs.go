package serve

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/inbox"
	"github.com/gatepost-mail/gatepost/internal/inbox/api"
	"github.com/gatepost-mail/gatepost/internal/inbox/folder"
	"github.com/gatepost-mail/gatepost/internal/inbox/gmail"
	"github.com/gatepost-mail/gatepost/internal/inbox/graph"
	"github.com/gatepost-mail/gatepost/internal/inbox/imap"
	"github.com/gatepost-mail/gatepost/internal/option"
	"github.com/gatepost-mail/gatepost/internal/spool"
)

// inputs makes of the configuration what fetches reports. Nothing is reached for yet. The key of a value that cannot be is named as in the
// file.
func inputs(r *config.Reports, log *slog.Logger) (all []inbox.Input, key string, err error) {
	room := new(spool.Room) // one bound for the memory of all
	add := func(kind string, i int, in inbox.Input, wrong error) {
		switch {
		case err != nil:
		case wrong != nil:
			key, err = inFile(kind, i, wrong)
		default:
			all = append(all, in)
		}
	}
	for i := range r.Folders {
		f := &r.Folders[i]
		in, err := folder.New(folder.Options{
			Name: "folder:" + f.Path, Paths: []string{f.Path}, Folders: f.Folders, Recursive: f.Recursive, After: f.After, Done: f.Done,
			Bad: f.Bad, MaxSize: int64(f.MaxSize), Rescan: time.Duration(f.Rescan), Spool: room, Log: log,
		})
		add("folder", i, in, err)
	}
	for i := range r.IMAP {
		m := &r.IMAP[i]
		in, err := imap.New(imap.Options{
			Address: m.Server, TLS: m.TLS, CAFile: m.CAFile, ServerName: m.ServerName, User: m.User, PasswordFile: m.PasswordFile,
			OAuth: oauth(m.OAuth), Mailboxes: m.Mailboxes, After: m.After, Done: m.Done, Bad: m.Bad, Keyword: m.Keyword,
			MaxSize: int64(m.MaxSize), Poll: time.Duration(m.Poll), Spool: room, Log: log,
		})
		add("imap", i, in, err)
	}
	for i := range r.Graph {
		m := &r.Graph[i]
		in, err := graph.New(graph.Options{
			OAuth: valueOf(oauth(m.OAuth)), User: m.User, Folder: m.Folder, After: m.After, Done: m.Done, Bad: m.Bad,
			MaxSize: int64(m.MaxSize), Poll: time.Duration(m.Poll), BaseURL: m.ServerURL, CAFile: m.CAFile, Spool: room, Log: log,
		})
		add("graph", i, in, err)
	}
	for i := range r.Gmail {
		m := &r.Gmail[i]
		in, err := gmail.New(gmail.Options{
			OAuth: valueOf(oauth(m.OAuth)), User: m.User, Label: m.Label, After: m.After, Done: m.Done, Bad: m.Bad,
			MaxSize: int64(m.MaxSize), Poll: time.Duration(m.Poll), BaseURL: m.ServerURL, CAFile: m.CAFile, Spool: room, Log: log,
		})
		add("gmail", i, in, err)
	}
	if err != nil {
		return nil, key, err
	}
	return all, "", nil
}

func valueOf(o *api.OAuth) api.OAuth {
	if o == nil {
		return api.OAuth{}
	}
	return *o
}

func oauth(o *config.OAuth) *api.OAuth {
	if o == nil {
		return nil
	}
	return &api.OAuth{
		Provider: o.Provider, Tenant: o.Tenant, ClientID: o.ClientID, ClientSecretFile: o.ClientSecretFile,
		RefreshTokenFile: o.RefreshTokenFile, TokenURL: o.TokenURL, Scopes: o.Scopes, CAFile: o.CAFile,
	}
}

// keyOf is what the file calls a member of an input's options, where that is not its name in small letters.
var keyOf = map[string]string{"Address": "server", "MaxSize": "max_bytes", "BaseURL": "url", "Paths": "path", "OAuth": "oauth"}

// inFile says in the file's words what an input says of its options.
func inFile(kind string, i int, err error) (key string, _ error) {
	var wrong *option.Error
	if !errors.As(err, &wrong) {
		return fmt.Sprintf("reports.%s[%d]", kind, i), fmt.Errorf("reports.%s: %w", kind, err)
	}
	var path []string
	for name := range strings.SplitSeq(wrong.Field, ".") {
		word, known := keyOf[name]
		if !known {
			word = snake(name)
		}
		path = append(path, word)
	}
	name := strings.Join(path, ".")
	return fmt.Sprintf("reports.%s[%d].%s", kind, i, name), fmt.Errorf("reports.%s.%s: %w", kind, name, wrong.Err)
}

// snake writes PasswordFile as password_file, and CAFile as ca_file.
func snake(s string) string {
	var b strings.Builder
	runes := []rune(s)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
