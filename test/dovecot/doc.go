// Package dovecot runs a real Dovecot for tests: one of its own, in a directory of its own, on loopback.
//
//	d, err := dovecot.Start("protocol imap {\n mail_max_userip_connections = 3\n}\n")
//	defer d.Stop()
package dovecot

// Password is that of every account. There is an account of whatever name.
const Password = "a secret with \"quotes\" and \\"
