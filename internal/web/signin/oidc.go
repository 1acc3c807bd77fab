package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/people"
)

// callbackPath is where the provider sends browsers back to.
const callbackPath = "/sign-in/oidc/callback"

// An oidcStep is somebody who is at the provider.
type oidcStep struct {
	Issuer   string `json:"issuer"`
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"` // PKCE (RFC 7636)
	To       string `json:"to"`
}

// toProvider sends a browser to the provider.
func (d *Door) toProvider(w http.ResponseWriter, r *http.Request) {
	o, to := d.Config().Web.OIDC, local(r.URL.Query().Get("to"))
	if o.Issuer == "" {
		http.Redirect(w, r, signInAt(to), http.StatusSeeOther)
		return
	}
	c, _, err := d.client(r, o)
	if err != nil {
		d.notByProvider(w, r, o, to, err)
		return
	}
	s := oidcStep{Issuer: o.Issuer, State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), To: to}
	if err := d.setStep(w, r, stepOIDC, s); err != nil {
		d.broken(w, r, nil, err)
		return
	}
	http.Redirect(w, r, c.AuthCodeURL(s.State, oidc.Nonce(s.Nonce), oauth2.S256ChallengeOption(s.Verifier)), http.StatusSeeOther)
}

// client is what we are at the provider.
func (d *Door) client(r *http.Request, o config.OIDC) (*oauth2.Config, *oidc.Provider, error) {
	base := d.Config().Web.URL
	if base == "" {
		here := &url.URL{Scheme: "http", Host: r.Host}
		if ip, err := netip.ParseAddr(here.Hostname()); here.Hostname() != "localhost" && (err != nil || !ip.IsLoopback()) || !d.ownPort(r) {
			return nil, nil, errors.New("web.url is not set, which the provider sends browsers back to")
		}
		base = here.String()
	}
	secret, err := clientSecret(o.ClientSecretFile)
	if err != nil {
		return nil, nil, err
	}
	p, err := d.provider.get(r.Context(), o.Issuer, d.Now())
	if err != nil {
		return nil, nil, err
	}
	scopes := []string{oidc.ScopeOpenID, "profile", "email"}
	var described struct {
		Scopes []string `json:"scopes_supported"`
	}
	if p.Claims(&described) == nil && slices.Contains(described.Scopes, "groups") {
		scopes = append(scopes, "groups")
	}
	return &oauth2.Config{ClientID: o.ClientID, ClientSecret: secret, Endpoint: p.Endpoint(), RedirectURL: base + callbackPath, Scopes: scopes}, p, nil
}

// notByProvider shows the page to sign in at, for another way.
func (d *Door) notByProvider(w http.ResponseWriter, r *http.Request, o config.OIDC, to string, err error) {
	d.Log.Error("the OpenID provider cannot be used", "issuer", o.Issuer, "error", bounded(err.Error(), 500))
	d.showSignIn(w, r, http.StatusBadGateway, to, "", providerName(o)+" cannot be used now, and why stands in the log. Try again, or sign in by password.")
}

// fromProvider takes a browser back.
func (d *Door) fromProvider(w http.ResponseWriter, r *http.Request) {
	var s oidcStep
	o, q := d.Config().Web.OIDC, r.URL.Query()
	id, ok := d.step(r, stepOIDC, &s)
	d.endStep(w, r, stepOIDC)
	if !ok || s.Issuer != o.Issuer || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(s.State)) != 1 {
		d.showSignIn(w, r, http.StatusUnprocessableEntity, "/", "", beginAgain)
		return
	}
	if e := q.Get("error"); e != "" {
		d.failed(r, "", bounded(providerName(o)+" said: "+e, maxAgent))
		d.showSignIn(w, r, http.StatusForbidden, s.To, "", providerName(o)+" did not let you in. It says: "+bounded(e+" "+q.Get("error_description"), maxAgent))
		return
	}
	c, p, err := d.client(r, o)
	if err != nil {
		d.notByProvider(w, r, o, s.To, err)
		return
	}
	claims, err := d.claims(r, o, c, p, s)
	if err != nil {
		d.failed(r, "", bounded("by provider: "+err.Error(), maxAgent))
		d.notByProvider(w, r, o, s.To, err)
		return
	}
	if !d.steps.use(id) {
		d.showSignIn(w, r, http.StatusUnprocessableEntity, "/", "", beginAgain)
		return
	}
	d.enterBy(w, r, o, s, claims)
}

// A card is what the provider says of somebody.
type card struct {
	subject, name string
	groups        []string
}

// claims has the provider turn a code into claims, and looks whether they are for us, of now, and of this browser (OpenID Connect Core 3.1.3.7).
func (d *Door) claims(r *http.Request, o config.OIDC, c *oauth2.Config, p *oidc.Provider, s oidcStep) (*card, error) {
	if iss := r.URL.Query().Get("iss"); iss != "" && iss != o.Issuer {
		return nil, fmt.Errorf("the answer is of another issuer, %q", iss) // RFC 9207
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(r.Context(), providerClient(o.Issuer)), providerTimeout)
	defer cancel()
	token, err := c.Exchange(ctx, r.URL.Query().Get("code"), oauth2.VerifierOption(s.Verifier))
	if err != nil {
		return nil, err
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return nil, errors.New("there is no id_token")
	}
	id, err := p.Verifier(&oidc.Config{ClientID: o.ClientID, Now: d.Now}).Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(s.Nonce)) != 1 {
		return nil, errors.New("the nonce is another's")
	}
	var all map[string]any
	if err := id.Claims(&all); err != nil {
		return nil, err
	}
	if azp, has := all["azp"]; has && azp != o.ClientID || !has && len(id.Audience) > 1 {
		return nil, errors.New("the token was made for another client")
	}
	if id.Subject == "" || len(id.Subject) > 255 {
		return nil, errors.New("there is no subject")
	}
	groups := groupsOf(all, o.GroupsClaim)
	if len(groups) == 0 && !denied(all, o.GroupsClaim) && p.UserInfoEndpoint() != "" {
		if info, err := p.UserInfo(ctx, oauth2.StaticTokenSource(token)); err == nil && info.Subject == id.Subject {
			var more map[string]any
			if info.Claims(&more) == nil {
				groups = groupsOf(more, o.GroupsClaim)
			}
		}
	}
	return &card{o.Issuer + " " + id.Subject, nameOf(all, id.Subject), groups}, nil
}

// nameOf is what somebody is called here. It says nothing about who that is: the subject does.
func nameOf(claims map[string]any, subject string) string {
	for _, claim := range []string{"preferred_username", "email", "name"} {
		if name, ok := claims[claim].(string); ok {
			if name = bounded(strings.ToLower(strings.TrimSpace(name)), maxName); name != "" {
				return name
			}
		}
	}
	return bounded(subject, maxName)
}

const maxGroups = 1000

// emailClaim is the claim whose text somebody may have typed: an address counts only where the provider says, beside it, that it was verified.
const emailClaim = "email"

// verified tells whether the provider says so of the address. Some write it as a text.
func verified(claims map[string]any) bool {
	v := claims["email_verified"]
	return v == true || v == "true"
}

// denied tells whether the provider says that the address is not verified. What it says elsewhere is not asked for then.
func denied(claims map[string]any, name string) bool {
	_, said := claims["email_verified"]
	return name == emailClaim && said && !verified(claims)
}

// groupsOf are the texts in a claim, which is found by its name, or by a way through what is nested: "realm_access.roles".
func groupsOf(claims map[string]any, name string) []string {
	if name == emailClaim && !verified(claims) {
		return nil
	}
	value, ok := claims[name]
	for at, rest := claims, name; !ok && rest != ""; {
		var first string
		first, rest, _ = strings.Cut(rest, ".")
		if rest == "" {
			value = at[first]
			break
		}
		if at, _ = at[first].(map[string]any); at == nil {
			return nil
		}
	}
	switch value := value.(type) {
	case string:
		return []string{value}
	case []any:
		var all []string
		for _, v := range value[:min(len(value), maxGroups)] {
			if s, ok := v.(string); ok {
				all = append(all, s)
			}
		}
		return all
	}
	return nil
}

// grantsOf are the roles that groups give, the highest over each group of domains.
func grantsOf(o config.OIDC, groups []string) []people.Grant {
	var all []people.Grant
	for _, role := range o.Roles {
		if !slices.Contains(groups, role.Group) {
			continue
		}
		if i := slices.IndexFunc(all, func(g people.Grant) bool { return g.Over == role.Over }); i >= 0 {
			all[i].Role = max(all[i].Role, role.Role)
		} else {
			all = append(all, people.Grant{Over: role.Over, Role: role.Role})
		}
	}
	return all
}

// enterBy lets somebody in whom the provider knows, with the roles that the groups there give today.
func (d *Door) enterBy(w http.ResponseWriter, r *http.Request, o config.OIDC, s oidcStep, c *card) {
	grants := grantsOf(o, c.groups)
	if len(grants) == 0 {
		if err := d.stripped(r.Context(), c); err != nil {
			d.broken(w, r, nil, err)
			return
		}
		d.failed(r, "", bounded("by provider: "+c.name+" is in no group with a role", maxAgent))
		d.message(w, r, nil, http.StatusForbidden, "You have no role here", fmt.Sprintf("%s knows you as %s, but none of your groups there has a role at this dashboard. "+
			"Whoever runs it can name one of them in the configuration (web.oidc.role). %s", providerName(o), c.name, listed(o.GroupsClaim, c.groups)))
		return
	}
	p, err := d.Office.Subject(r.Context(), c.subject, c.name, grants)
	switch {
	case errors.Is(err, people.ErrRefused) || err == nil && p.Disabled:
		d.failed(r, p.Name, "by provider: locked out here")
		d.message(w, r, nil, http.StatusForbidden, "You are locked out here", "Whoever owns this dashboard has decided so.")
	case errors.Is(err, people.ErrLast):
		d.message(w, r, nil, http.StatusForbidden, "Somebody must own this dashboard", "Your groups at "+providerName(o)+
			" would take that role from you, and nobody else has it. Sign in by password, and give it to somebody first.")
	case err != nil:
		d.broken(w, r, nil, err)
	default:
		d.enter(w, r, p, people.MethodOIDC, s.To)
	}
}

// stripped takes the roles of somebody who had some by groups, and has none of these any more.
func (d *Door) stripped(ctx context.Context, c *card) error {
	_, err := d.Store.PersonBySubject(ctx, c.subject)
	if errors.Is(err, people.ErrNoPerson) {
		return nil
	}
	if err == nil {
		_, err = d.Office.Subject(ctx, c.subject, c.name, nil)
	}
	if errors.Is(err, people.ErrRefused) || errors.Is(err, people.ErrLast) {
		return nil // locked out already, or the last owner, who keeps the role until there is another
	}
	return err
}

// listed says which groups somebody is in, as far as that is short.
func listed(claim string, groups []string) string {
	const most = 10
	if len(groups) == 0 && claim == emailClaim {
		return "The provider does not say that it has verified an address of yours."
	}
	if len(groups) == 0 {
		return "The provider names no group of yours."
	}
	text := "Your groups: " + strings.Join(groups[:min(len(groups), most)], ", ")
	if len(groups) > most {
		text += fmt.Sprintf(", and %d more", len(groups)-most)
	}
	return bounded(text, 1000) + "."
}
