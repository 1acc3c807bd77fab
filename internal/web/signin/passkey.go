package signin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/gatepost-mail/gatepost/internal/client"
	"github.com/gatepost-mail/gatepost/internal/people"
)

// A passkey counts as both factors: it is something that one has, and the device asks for a finger, a face or a PIN each time. So it is
// taken only where the device says that it did.

// relyingParty is what passkeys are for: the host by which this dashboard is reached. The second result is a sentence why there can be
// none here.
func (d *Door) relyingParty(r *http.Request) (*webauthn.WebAuthn, string) {
	origin, whyNot := d.origin(r)
	if whyNot != "" {
		return nil, whyNot
	}
	required := true
	rp, err := webauthn.New(&webauthn.Config{
		RPID: origin.Hostname(), RPDisplayName: "Gatepost", RPOrigins: []string{origin.String()}, AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: &required, ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
	})
	if err != nil {
		d.Log.Error("passkeys cannot be had", "origin", origin.String(), "error", err.Error())
		return nil, "Passkeys need a full host name in web.url."
	}
	return rp, ""
}

// origin is where the page was asked for, if that can be an origin of passkeys: a name, by HTTPS or on this machine.
func (d *Door) origin(r *http.Request) (*url.URL, string) {
	scheme := "http"
	if d.Secure(r) {
		scheme = "https"
	}
	here := &url.URL{Scheme: scheme, Host: strings.ToLower(r.Host)}
	switch configured := d.Config().Web.URL; {
	case configured != "" && configured != here.String() && !isAddress(here) && here.Hostname() != "localhost":
		return nil, "Passkeys work at " + configured + " only."
	case here.Hostname() == "localhost" && configured != here.String() && !d.ownPort(r):
		return nil, "Passkeys work here once web.url in the configuration is " + here.String() + ": this is not the port that Gatepost listens at."
	case here.Hostname() == "localhost":
		return here, ""
	case isAddress(here):
		return nil, "Passkeys need a host name, and " + here.Hostname() + " is an address. " + instead(here, configured)
	case configured == "":
		return nil, "Passkeys need web.url in the configuration."
	case scheme != "https":
		return nil, "Passkeys need HTTPS."
	}
	return here, ""
}

// ownPort tells whether a request names the port that it came by. Any program on this machine can serve pages at another port of localhost,
// and hand on to us what a browser signed for them: so a name with that port is none of ours, unless a proxy is trusted to know.
func (d *Door) ownPort(r *http.Request) bool {
	if client.Proxies(d.Config().Web.TrustedProxies).Trusted(r) {
		return true
	}
	at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	_, own, err := net.SplitHostPort(at.String())
	if err != nil {
		return false
	}
	named := (&url.URL{Host: r.Host}).Port()
	if named == "" {
		named = "80"
		if d.Secure(r) {
			named = "443"
		}
	}
	return named == own
}

// instead is where passkeys work for somebody who uses an address.
func instead(here *url.URL, configured string) string {
	ip, err := netip.ParseAddr(here.Hostname())
	u, wrong := url.Parse(configured)
	switch {
	case configured != "" && wrong == nil && !isAddress(u):
		return "They work at " + configured + "."
	case err == nil && ip.IsLoopback():
		host := "localhost"
		if port := here.Port(); port != "" {
			host = net.JoinHostPort(host, port)
		}
		return "They work at http://" + host + "."
	}
	return "They work once web.url in the configuration has a name with https://."
}

func isAddress(u *url.URL) bool {
	_, err := netip.ParseAddr(u.Hostname())
	return err == nil
}

// A keyholder is a person as the library asks for one.
type keyholder struct{ people.Person }

// WebAuthnID is what an authenticator keeps beside the key, and replaces the key by where another comes with the same. It tells apart the
// first person of one dashboard from that of another at the same host.
func (k keyholder) WebAuthnID() []byte {
	return fmt.Appendf(nil, "gatepost %d %d", k.ID, k.Created.Unix())
}

func (k keyholder) WebAuthnName() string        { return k.Name }
func (k keyholder) WebAuthnDisplayName() string { return k.Name }

func (k keyholder) WebAuthnCredentials() []webauthn.Credential {
	var all []webauthn.Credential
	for _, key := range k.Passkeys {
		var c webauthn.Credential
		if json.Unmarshal(key.Credential, &c) == nil {
			all = append(all, c)
		}
	}
	return all
}

// personOf is the person whose handle an authenticator sent.
func (d *Door) personOf(ctx context.Context, handle []byte) (keyholder, error) {
	fields := strings.Fields(string(handle))
	if len(fields) != 3 {
		return keyholder{}, people.ErrNoPerson
	}
	id, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return keyholder{}, people.ErrNoPerson
	}
	p, err := d.Store.PersonByID(ctx, id)
	if err == nil && (p.Disabled || p.Elsewhere()) {
		err = people.ErrNoPerson
	}
	return keyholder{p}, err
}

type passkeyStep struct {
	Person  int64                `json:"person"` // who registers; 0: somebody signs in
	Session webauthn.SessionData `json:"session"`
}

// beginPasskey answers with a challenge to sign in, for a script.
func (d *Door) beginPasskey(w http.ResponseWriter, r *http.Request) {
	if text, ok := d.attempt(nobodys, w, r); !ok {
		http.Error(w, text, http.StatusTooManyRequests)
		return
	}
	rp, whyNot := d.relyingParty(r)
	if whyNot != "" {
		http.Error(w, whyNot, http.StatusConflict)
		return
	}
	options, session, err := rp.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	d.challenge(w, r, stepPasskey, passkeyStep{}, options, session, err)
}

func (d *Door) challenge(w http.ResponseWriter, r *http.Request, kind string, s passkeyStep, options any, session *webauthn.SessionData, err error) {
	if err == nil {
		s.Session = *session
		err = d.setStep(w, r, kind, s)
	}
	if err != nil {
		d.Log.Error("a passkey could not be asked for", "error", err.Error())
		http.Error(w, "That did not work, and why stands in the log.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(options) // to a browser, which is there or not
}

// wrongPasskey is said whatever it was.
const wrongPasskey = "That passkey is not known here, or it took too long. Try again, or sign in another way."

func (d *Door) passkey(w http.ResponseWriter, r *http.Request) {
	to := local(r.PostForm.Get("to"))
	if text, ok := d.attempt(nobodys, w, r); !ok {
		d.showSignIn(w, r, http.StatusTooManyRequests, to, "", text)
		return
	}
	refuse := func(name, why string) {
		d.failed(r, name, bounded("passkey: "+why, maxAgent))
		d.showSignIn(w, r, http.StatusUnprocessableEntity, to, "", wrongPasskey)
	}
	rp, whyNot := d.relyingParty(r)
	if whyNot != "" {
		d.showSignIn(w, r, http.StatusConflict, to, "", whyNot)
		return
	}
	var s passkeyStep
	id, ok := d.step(r, stepPasskey, &s)
	d.endStep(w, r, stepPasskey)
	if !ok {
		refuse("", "no challenge")
		return
	}
	p, key, err := d.whoseKey(r, rp, s.Session)
	if err != nil {
		refuse(p.Name, err.Error())
		return
	}
	if !d.steps.use(id) {
		refuse(p.Name, "the challenge was answered before")
		return
	}
	if err := d.Office.UpdatePasskey(r.Context(), p.ID, key); err != nil {
		d.broken(w, r, nil, err)
		return
	}
	d.enter(w, r, p, "passkey", to)
}

// whoseKey is the person whose passkey answered a challenge, with the passkey as it is to be kept from now on. There is a person beside an
// error only if the answer was signed by a passkey of theirs.
func (d *Door) whoseKey(r *http.Request, rp *webauthn.WebAuthn, session webauthn.SessionData) (people.Person, people.Passkey, error) {
	answer, err := protocol.ParseCredentialRequestResponseBytes([]byte(r.PostForm.Get("credential")))
	if err != nil {
		return people.Person{}, people.Passkey{}, err
	}
	var holder keyholder
	_, credential, err := rp.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
		holder, err = d.personOf(r.Context(), handle)
		return holder, err
	}, session, answer)
	if err != nil {
		return people.Person{}, people.Passkey{}, err
	}
	if credential.Authenticator.CloneWarning {
		return holder.Person, people.Passkey{}, fmt.Errorf("the counter of a passkey of %s went back, as that of a copy does", holder.Name)
	}
	for _, key := range holder.Passkeys {
		if string(key.ID) == string(credential.ID) {
			key.Used = d.Now()
			key.Credential, err = json.Marshal(credential)
			return holder.Person, key, err
		}
	}
	return people.Person{}, people.Passkey{}, errors.New("the passkey is not kept under its own name")
}

// beginNewPasskey answers with a challenge to register, for a script.
func (d *Door) beginNewPasskey(w http.ResponseWriter, r *http.Request, v *visitor) {
	rp, whyNot := d.relyingParty(r)
	if whyNot != "" {
		http.Error(w, whyNot, http.StatusConflict)
		return
	}
	holder := keyholder{v.person}
	options, session, err := rp.BeginRegistration(holder, webauthn.WithExclusions(webauthn.Credentials(holder.WebAuthnCredentials()).CredentialDescriptors()))
	d.challenge(w, r, stepNewPasskey, passkeyStep{Person: v.person.ID}, options, session, err)
}

func (d *Door) addPasskey(w http.ResponseWriter, r *http.Request, v *visitor) {
	rp, whyNot := d.relyingParty(r)
	if whyNot != "" {
		d.wrongOn(w, r, v, "passkey", whyNot)
		return
	}
	var s passkeyStep
	id, ok := d.step(r, stepNewPasskey, &s)
	d.endStep(w, r, stepNewPasskey)
	if !ok || s.Person != v.person.ID {
		d.wrongOn(w, r, v, "passkey", "That took too long. Try again.")
		return
	}
	answer, err := protocol.ParseCredentialCreationResponseBytes([]byte(r.PostForm.Get("credential")))
	var credential *webauthn.Credential
	if err == nil {
		credential, err = rp.CreateCredential(keyholder{v.person}, s.Session, answer)
	}
	if err != nil {
		d.Log.Warn("a passkey was not taken", "person", v.person.Name, "error", err.Error())
		d.wrongOn(w, r, v, "passkey", "The device's answer could not be used, and why stands in the log.")
		return
	}
	if !d.steps.use(id) {
		d.wrongOn(w, r, v, "passkey", "The device has answered already. Try again.")
		return
	}
	name := bounded(strings.TrimSpace(r.PostForm.Get("name")), maxName)
	if name == "" {
		name = "Passkey"
	}
	key := people.Passkey{Name: name, ID: credential.ID, Created: d.Now()}
	if key.Credential, err = json.Marshal(credential); err == nil {
		err = d.Office.AddPasskey(r.Context(), v.person.ID, key)
	}
	var unfit *people.Unfit
	if errors.As(err, &unfit) {
		d.wrongOn(w, r, v, "passkey", unfit.Text)
		return
	}
	if err != nil {
		d.broken(w, r, v.access, err)
		return
	}
	d.event(r, v, "add-passkey", name)
	d.leave(w, r, "passkey")
}

func (d *Door) removePasskey(w http.ResponseWriter, r *http.Request, v *visitor) {
	id, err := base64.RawURLEncoding.DecodeString(r.PathValue("id"))
	if err != nil {
		d.leave(w, r, "removed") // there is none by that
		return
	}
	for _, k := range v.person.Passkeys {
		if string(k.ID) != string(id) {
			continue
		}
		if v.person.Password == "" && len(v.person.Passkeys) == 1 {
			d.wrongOn(w, r, v, "passkey", "It is the only way in that you have. Set a password, or add another passkey, first.")
			return
		}
		if err := d.Office.RemovePasskey(r.Context(), v.person.ID, id); err != nil && !errors.Is(err, people.ErrNoPasskey) {
			d.broken(w, r, v.access, err)
			return
		}
		d.event(r, v, "remove-passkey", k.Name)
	}
	d.leave(w, r, "removed")
}
