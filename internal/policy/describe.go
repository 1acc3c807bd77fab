package policy

// A Described is a rule as it is written.
type Described struct {
	Name    string `json:"name"`
	When    string `json:"when"` // its condition
	Action  Action `json:"action"`
	Code    string `json:"code"`    // what the SMTP reply begins with, for reject and defer: "550 5.7.23"
	Monitor bool   `json:"monitor"` // it only watches
}

// Describe gives the rules with a name, in order: several may have the same. The name of one that a policy does not have gives none.
func (p *Policy) Describe(name string) []Described {
	all := []Described{}
	for i := range p.rules {
		if r := &p.rules[i]; r.name == name {
			all = append(all, Described{Name: r.name, When: r.source, Action: r.action, Code: r.code, Monitor: r.monitor})
		}
	}
	return all
}
