package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/setup"
	"github.com/gatepost-mail/gatepost/spf"
)

// An interview asks questions on standard error, so that what is printed can go to a file.
type interview struct {
	in    *bufio.Reader
	out   io.Writer
	width int
}

// tell writes a line between the questions.
func (i *interview) tell(text string) {
	for _, line := range wrap(printable(text), i.width-2) {
		fmt.Fprintln(i.out, "  "+line)
	}
}

var errNoAnswer = errors.New("the answers ended before the questions did; nothing was done")

// ask puts a question, and gives the answer without white space.
func (i *interview) ask(question, preset string) (string, error) {
	if preset != "" {
		question += " [" + printable(preset) + "]"
	}
	fmt.Fprint(i.out, question+" ")
	line, err := i.in.ReadString('\n')
	if err != nil && line == "" {
		fmt.Fprintln(i.out)
		return "", errNoAnswer
	}
	if line = strings.TrimSpace(line); line == "" {
		return preset, nil
	}
	return line, nil
}

// yes asks what is answered by yes or no.
func (i *interview) yes(question string, preset bool) (bool, error) {
	hint := "[y/N]"
	if preset {
		hint = "[Y/n]"
	}
	for {
		answer, err := i.ask(question+" "+hint, "")
		if err != nil {
			return false, err
		}
		switch strings.ToLower(answer) {
		case "":
			return preset, nil
		case "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		}
		i.tell("Type y or n.")
	}
}

// list asks for several, until an empty line. Each is held against what can be.
func (i *interview) list(question string, check func(string) error) ([]string, error) {
	var all []string
	for {
		answer, err := i.ask(question, "")
		if err != nil || answer == "" {
			return all, err
		}
		if err := check(answer); err != nil {
			i.tell(err.Error())
			continue
		}
		all = append(all, answer)
		question = "  Another? (Enter for none)"
	}
}

// ask asks a person for all that flags would say.
func (r *setupRun) ask() error {
	a := &r.answers
	i := &interview{in: bufio.NewReader(r.cmd.InOrStdin()), out: r.cmd.ErrOrStderr(), width: newScreen(r.cmd.ErrOrStderr(), true).width}
	services, hosts := r.guess()
	var err error
	if a.Sends, err = i.yes("Does "+a.Domain+" send mail?", true); err != nil {
		return err
	}
	if a.Sends {
		if err := r.askServices(i, services); err != nil {
			return err
		}
		if a.Servers, err = i.list("Which servers of your own send? (mx, an address, a network or a host; Enter for none)", r.fits(func(b *setup.Answers, s string) { b.Servers = []string{s} })); err != nil {
			return err
		}
	}
	if a.Receives, err = i.yes("Does it receive mail?", true); err != nil {
		return err
	}
	if a.Receives && !hosts {
		if a.MX, err = i.list("Which mail servers has it? (such as \"10 mx."+a.Domain+"\"; Enter for none)", r.fits(func(b *setup.Answers, s string) { b.MX = []string{s} })); err != nil {
			return err
		}
	}
	if a.Reports, err = i.list("Which address are reports to go to? (Enter for none)", r.fits(func(b *setup.Answers, s string) { b.Reports = []string{s} })); err != nil {
		return err
	}
	if len(a.Reports) == 0 {
		i.tell("Then nobody tells you who sends in its name; --reports adds an address later.")
	}
	if a.Receives {
		if a.MTASTS, err = i.yes("Is mail to it to come by TLS only (MTA-STS; needs a web server)?", true); err != nil {
			return err
		}
	}
	if a.Receives && a.MTASTS {
		if a.STSHost, err = i.ask("Which web server? (an address or a host; Enter if that is open)", ""); err != nil {
			return err
		}
	}
	return nil
}

// fits tells whether an answer can be, by itself.
func (r *setupRun) fits(put func(*setup.Answers, string)) func(string) error {
	return func(s string) error {
		b := setup.Answers{Domain: r.answers.Domain, Sends: true, Receives: true}
		put(&b, s)
		return b.Check(r.table)
	}
}

// guess finds out which services the domain's SPF record names, and whether it has mail servers.
func (r *setupRun) guess() (services []*senders.Service, hosts bool) {
	if r.resolver == nil {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(r.cmd.Context(), r.common.Timeout)
	defer cancel()
	defer r.asking()()
	if answer, err := r.resolver.Lookup(ctx, r.answers.Domain, dns.TypeMX); err == nil {
		hosts = len(answer.MX) > 0 && answer.MX[0].Host != ""
	}
	answer, err := r.resolver.Lookup(ctx, r.answers.Domain, dns.TypeTXT)
	if err != nil {
		return nil, hosts
	}
	for _, text := range answer.TXT {
		if !spf.IsRecord(text) {
			continue
		}
		record, _ := spf.Parse(text)
		if record == nil {
			continue
		}
		for _, t := range record.Terms {
			if t.Kind != spf.KindInclude {
				continue
			}
			if s := r.table.Include(t.DomainSpec); s != nil && !slices.Contains(services, s) {
				services = append(services, s)
			}
		}
	}
	return services, hosts
}

// askServices asks which services send, by name.
func (r *setupRun) askServices(i *interview, known []*senders.Service) error {
	for _, s := range known {
		keep, err := i.yes("Its SPF record names "+printable(s.Name)+". Does that send for it?", true)
		if err != nil {
			return err
		}
		if keep {
			if err := r.take(i, s); err != nil {
				return err
			}
		}
	}
	question := "Which service sends for it? (a part of its name will do; Enter for none)"
	for {
		typed, err := i.ask(question, "")
		if err != nil {
			return err
		}
		if typed == "" {
			return nil
		}
		s, err := r.choose(i, typed)
		if err != nil {
			return err
		}
		if s != nil {
			if err := r.take(i, s); err != nil {
				return err
			}
			question = "Which other service? (Enter for none)"
		}
	}
}

// choose finds the service that a person means.
func (r *setupRun) choose(i *interview, typed string) (*senders.Service, error) {
	found := searchServices(r.table, typed)
	switch len(found) {
	case 0:
		i.tell("No such service is known. Add it to a file for --senders, or name its servers as your own.")
		return nil, nil
	case 1:
		if serviceNamed(r.table, typed) == nil {
			yes, err := i.yes("  "+found[0].Name+"?", true)
			if err != nil || !yes {
				return nil, err
			}
		}
		return found[0], nil
	}
	for n, s := range found {
		fmt.Fprintf(i.out, "  %d  %s\n", n+1, printable(s.Name))
	}
	answer, err := i.ask("  Which one? (a number; Enter for none)", "")
	if err != nil {
		return nil, err
	}
	if n, err := strconv.Atoi(answer); err == nil && n >= 1 && n <= len(found) {
		return found[n-1], nil
	}
	return nil, nil
}

// take adds a service, and asks for what its settings show.
func (r *setupRun) take(i *interview, service *senders.Service) error {
	a := &r.answers
	if slices.ContainsFunc(a.Services, func(s setup.Service) bool { return s.ID == service.ID }) {
		i.tell("It is there already.")
		return nil
	}
	s := setup.Service{ID: service.ID, Values: map[string]string{}}
	if words := setup.Blanks(service, a.Domain); len(words) > 0 {
		i.tell(fmt.Sprintf("%s shows {%s} in its settings. Press Enter at what you do not know yet.", service.Name, strings.Join(words, "}, {")))
		if service.Docs != "" {
			fmt.Fprintln(i.out, "  See "+printable(service.Docs)) // in one piece, to be copied
		}
		for _, word := range words {
			if err := r.blank(i, &s, word); err != nil {
				return err
			}
		}
	}
	a.Services = append(a.Services, s)
	return nil
}

// blank asks for one word in braces, until it can be.
func (r *setupRun) blank(i *interview, s *setup.Service, word string) error {
	for {
		value, err := i.ask("  {"+word+"}:", "")
		if err != nil || value == "" {
			return err
		}
		b := setup.Answers{Domain: r.answers.Domain, Sends: true, Services: []setup.Service{{ID: s.ID, Values: map[string]string{word: value}}}}
		if err := b.Check(r.table); err != nil {
			i.tell(err.Error())
			continue
		}
		s.Values[word] = value
		return nil
	}
}
