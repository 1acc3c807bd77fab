// Package authres reads and writes Authentication-Results header fields (RFC 8601). For Received-SPF see package spf.
//
//	field := authres.Field{AuthservID: "mx.example.org", Results: []authres.Result{{
//		Method: "spf", Value: "pass", Properties: []authres.Property{{Type: "smtp", Name: "mailfrom", Value: "a@example.com"}},
//	}}}
//	fmt.Println(field.Format())
//
// Whatever comes from a message is escaped where it is written, and believed nowhere where it is read: a receiver removes the
// fields that bear its own name first, with [Forged].
package authres

// A Field is the value of one Authentication-Results field.
type Field struct {
	AuthservID string
	Version    int      // 0 if absent, which means 1
	Results    []Result // empty for "none"
}

// A Result is what one method found.
type Result struct {
	Method     string // "spf", "dkim", "dmarc", "arc", "iprev", …; lower case
	Version    int    // of the method, as in dkim/1; 0 if absent
	Value      string // "pass", "fail", …; lower case
	Reason     string
	Properties []Property
	Comment    string // stands after the value, in parentheses
}

// A Property is one piece of evidence: ptype.property=value.
type Property struct {
	Type    string // "smtp", "header", "body", "policy"
	Name    string
	Value   string
	Comment string
}
