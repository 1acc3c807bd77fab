package web

import (
	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/people"
)

// peopleRoutes are those of users, tokens and the audit log. All but one's own tokens are for who owns everything.
func peopleRoutes(d *dashboard.Desk) []route {
	owner := func(id, path, title, summary, form string) route {
		return route{id: id, path: path, title: title, summary: summary, area: "settings", need: people.Owner, over: everywhere, form: form}
	}
	own := func(id, path, title, summary, form string) route {
		return route{id: id, path: path, title: title, summary: summary, area: "account", need: people.Viewer, over: somewhere, form: form}
	}
	// What gives or takes a way in: a token, or a browser that was left open, must not become an owner by it.
	fresh := func(r route) route {
		r.fresh = true
		return r
	}
	const users, user = "/settings/users", "/settings/users/{name}"
	return []route{
		view(owner("users", users, "Users", "Who may sign in, and who is invited", ""), d.Users),
		action(fresh(owner("invite-user", users, "Invitation", "Make a link that lets somebody new in, once", users)), d.DoInvite),
		action(owner("withdraw-link", "/settings/links/{id}/withdraw", "Take back a link", "Make a link good for nothing", users), d.DoWithdraw),
		view(owner("user", user, "User", "One user, with sessions and tokens", ""), d.User),
		action(fresh(owner("set-role", user+"/role", "Change a role", "Say what a user may do over a group of domains", user)), d.DoRole),
		action(fresh(owner("link-user", user+"/link", "Link for a user", "Make a link by which a user chooses another password, once", user)), d.DoLink),
		action(fresh(owner("disable-user", user+"/disable", "Lock out", "Lock a user out, at once", user)), d.DoDisable),
		action(fresh(owner("enable-user", user+"/enable", "Let in again", "Let a user in again who was locked out", user)), d.DoEnable),
		action(owner("end-sessions", user+"/sign-out", "Sign out", "End all sessions of a user", user), d.DoEndSessions),
		action(fresh(owner("remove-user", user+"/remove", "Remove a user", "Delete a user, with sessions and tokens", user)), d.DoRemove),

		view(owner("tokens", "/settings/tokens", "Tokens", "What lets programs in", ""), d.AllTokens),
		action(owner("remove-token", "/settings/tokens/{id}/remove", "Remove a token", "Make anybody's token good for nothing", "/settings/tokens"), d.DoRemoveToken),
		view(own("own-tokens", "/account/tokens", "Your tokens", "What lets programs in with your role", ""), d.OwnTokens),
		action(fresh(own("add-token", "/account/tokens", "New token", "Make a token, which may do no more than you", "/account/tokens")), d.DoNewToken),
		action(own("remove-own-token", "/account/tokens/{id}/remove", "Remove a token of yours", "Make a token of yours good for nothing", "/account/tokens"), d.DoRemoveOwnToken),

		view(owner("audit-log", "/settings/log", "Audit log", "Who did what, the latest first", ""), d.AuditLog),
	}
}
