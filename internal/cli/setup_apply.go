package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/nsupdate"
	"github.com/gatepost-mail/gatepost/internal/setup"
	"github.com/gatepost-mail/gatepost/internal/signing"
)

const updateTimeout = 10 * time.Second

// doApply has a name server make the records so.
func (r *setupRun) doApply() error {
	server, err := r.updateServer()
	if err != nil {
		return err
	}
	// The plan is made for what that server holds: it is what will be changed.
	host := setup.Ask(server.Address, server.Address)
	if err := r.makePlan(host.Resolver); err != nil {
		return err
	}
	if len(r.present) > 0 {
		return &statusError{status: StatusTemporary, err: fmt.Errorf("%s does not say what is there: %s; nothing was done", server.Address, r.present[0])}
	}
	changes := r.plan.Changes()
	ctx, cancel := context.WithTimeout(r.cmd.Context(), time.Minute)
	defer cancel()
	update, err := setup.Prepare(ctx, server, changes)
	if err != nil {
		return r.moved(err)
	}
	s := newScreen(r.cmd.OutOrStdout(), r.common.NoColor)
	if len(update.Changes) == 0 {
		s.line(server.Address + " has all of it already.")
		r.left(s)
		return nil
	}
	s.line(s.paint(bold, fmt.Sprintf("%s, zone %s:", server.Address, server.Zone)))
	for _, c := range update.Changes {
		printChange(s, c)
	}
	if err := r.agree(len(update.Changes)); err != nil {
		return err
	}
	if err := update.Send(ctx); err != nil {
		return r.moved(err)
	}
	r.keep(r.answers.Step)
	s.line("Done. See that all name servers follow: gatepost setup " + r.plan.Domain + " --verify")
	r.left(s)
	return nil
}

// moved tells that the zone is another than the plan is for, in a way that a script can try again.
func (r *setupRun) moved(err error) error {
	if errors.Is(err, setup.ErrMoved) {
		return &statusError{status: StatusTemporary, err: err}
	}
	return err
}

// left says what an update does not do.
func (r *setupRun) left(s screen) {
	for i := range r.plan.Records {
		rec := &r.plan.Records[i]
		switch rec.State() {
		case "blank", "held", "elsewhere":
			s.item("not done: " + rec.For + " at " + rec.Name + "; see gatepost setup " + r.plan.Domain)
		case "new":
			if rec.Type == setup.File {
				s.item("still to be done: serve the policy at " + rec.Name)
			}
		}
	}
}

func printChange(s screen, c setup.Change) {
	s.line("  " + printable(c.Name) + "  " + c.Type)
	if c.Old != "" {
		s.line("  " + s.paint(red, "- "+printable(c.Old)))
	}
	if c.New != "" {
		s.line("  " + s.paint(green, "+ "+printable(c.New)))
	}
}

// agree has a person say that it is to be done.
func (r *setupRun) agree(n int) error {
	if r.yes {
		return nil
	}
	if !isTerminal(r.cmd.InOrStdin()) {
		return usageError(r.cmd, "--apply: nobody is there to be asked; say --yes, and nothing is asked")
	}
	i := &interview{in: bufio.NewReader(r.cmd.InOrStdin()), out: r.cmd.ErrOrStderr()}
	yes, err := i.yes("Do that?", false)
	if err == nil && !yes {
		err = fmt.Errorf("%s left as they are", plural(n, "record"))
	}
	return err
}

// updateServer is who is to be told, by flags or by the configuration.
func (r *setupRun) updateServer() (*nsupdate.Server, error) {
	server := &nsupdate.Server{Timeout: updateTimeout, Zone: r.answers.Domain}
	if r.in != "" {
		zone, err := dns.ToASCII(r.in)
		if err != nil {
			return nil, usageError(r.cmd, "--in: %v", err)
		}
		server.Zone = zone
	}
	if len(r.nameServers.servers) > 1 {
		return nil, usageError(r.cmd, "--name-server: one server is updated, the zone's primary")
	}
	secret := nsupdate.SecretFile{Path: r.tsig, KeyName: r.tsigName}
	if len(r.nameServers.servers) == 1 {
		server.Address = r.nameServers.servers[0]
	} else if err := r.configured(server, &secret); err != nil {
		return nil, err
	}
	switch {
	case secret.Path != "":
		var err error
		if server.Secret, err = nsupdate.ReadSecret(secret); err != nil {
			return nil, err
		}
	case !r.insecure:
		return nil, usageError(r.cmd, "--apply: updates are signed; name the key's file with --tsig, or send them unsigned with --insecure")
	}
	return server, nil
}

// configured takes the server of [[signing.nsupdate]] whose zone the domain is in.
func (r *setupRun) configured(server *nsupdate.Server, secret *nsupdate.SecretFile) error {
	file, err := r.ring.read(r.common)
	if err != nil {
		return err
	}
	best := -1
	for i, u := range file.Signing.NSUpdate {
		zone := strings.ToLower(strings.TrimSuffix(u.Zone, "."))
		if (r.answers.Domain == zone || strings.HasSuffix(r.answers.Domain, "."+zone)) && (best < 0 || len(zone) > len(file.Signing.NSUpdate[best].Zone)) {
			best = i
		}
	}
	if best < 0 {
		return usageError(r.cmd, "--apply: name the primary server of the zone with --name-server, or in [[signing.nsupdate]] of --config")
	}
	return fill(server, secret, &file.Signing.NSUpdate[best], r)
}

func fill(server *nsupdate.Server, secret *nsupdate.SecretFile, u *signing.UpdateConfig, r *setupRun) error {
	address, err := serverAddress(u.Server)
	if err != nil {
		return fmt.Errorf("signing.nsupdate: server %q: %w", u.Server, err)
	}
	server.Address = address
	if r.in == "" {
		server.Zone = strings.ToLower(strings.TrimSuffix(u.Zone, "."))
	}
	if secret.Path == "" {
		*secret = nsupdate.SecretFile{Path: u.SecretFile, KeyName: u.KeyName, Algorithm: u.Algorithm}
	}
	return nil
}

// verifyTime is how long records are waited for where no flag says so: zones are copied within the hour, by most SOA records.
const verifyTime = time.Hour

// doVerify waits until every name server shows the records.
func (r *setupRun) doVerify() error {
	if r.resolver == nil && len(r.nameServers.servers) == 0 {
		return usageError(r.cmd, "--verify asks name servers; leave --offline out")
	}
	if err := r.makePlan(r.firstView()); err != nil {
		return err
	}
	if len(r.present) > 0 {
		return &statusError{status: StatusTemporary, err: fmt.Errorf("%s: DNS does not say what is there: %s; try again later", r.plan.Domain, r.present[0])}
	}
	servers, err := r.servers()
	if err != nil {
		return &statusError{status: StatusTemporary, err: err}
	}
	limit := verifyTime
	if r.cmd.Flags().Changed("timeout") {
		limit = r.common.Timeout
	}
	ctx, cancel := context.WithTimeout(r.cmd.Context(), limit)
	defer cancel()
	told := ""
	seen := r.plan.Verify(ctx, servers, r.every.Duration, func(s setup.Seen) {
		if text := verifyRound(s); text != told {
			fmt.Fprint(r.cmd.ErrOrStderr(), text)
			told = text
		}
	})
	switch {
	case seen.Done():
		fmt.Fprintf(r.cmd.OutOrStdout(), "%s: %s, as planned, at %s.\n", r.plan.Domain, plural(seen.Records, "record"), plural(seen.Servers, "name server"))
		return nil
	case len(seen.Missing) > 0:
		return &statusError{status: StatusFails, err: fmt.Errorf("%s: %s still missing: %s; publish it, or wait longer with --timeout", r.plan.Domain, plural(len(seen.Missing), "record"), seen.Missing[0])}
	}
	return &statusError{status: StatusTemporary, err: fmt.Errorf("%s: a name server does not answer: %s", r.plan.Domain, seen.Silent[0])}
}

// firstView is what the plan is made by: a server that was named knows best.
func (r *setupRun) firstView() dns.Resolver {
	if len(r.nameServers.servers) > 0 {
		return setup.Ask("", r.nameServers.servers[0]).Resolver
	}
	return r.resolver
}

func (r *setupRun) servers() ([]setup.Server, error) {
	var all []setup.Server
	for _, address := range r.nameServers.servers {
		all = append(all, setup.Ask(address, address))
	}
	if all != nil {
		return all, nil
	}
	ctx, cancel := context.WithTimeout(r.cmd.Context(), time.Minute)
	defer cancel()
	return setup.Finder{Resolver: r.resolver}.Servers(ctx, r.plan.Domain)
}

// mostLines bounds what is told of a round.
const mostLines = 20

func verifyRound(s setup.Seen) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %s missing, %s silent\n", len(s.Missing), plural(s.Records*s.Servers, "answer"), plural(len(s.Silent), "server"))
	lines := append(append([]string(nil), s.Missing...), s.Silent...)
	for i, line := range lines {
		if i == mostLines {
			fmt.Fprintf(&b, "  and %d more\n", len(lines)-i)
			break
		}
		b.WriteString("  " + printable(line) + "\n")
	}
	return b.String()
}
