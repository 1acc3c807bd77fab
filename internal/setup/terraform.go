package setup

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// Terraform writes the plan as a file for Terraform, gatepost.tf.json, with the resources of the provider hashicorp/dns, which speaks
// RFC 2136 with any name server; its address and key are given to the provider in another file.
//
// Its resources are whole record sets: those of a name that has other records have them too, as they were found, and what exists already is
// imported first, so that nothing is lost and nothing is doubled.
func (p *Plan) Terraform() ([]byte, error) {
	type resource = map[string]any
	resources := map[string]map[string]resource{}
	var imports []map[string]string
	var left []string
	for _, set := range p.sets() {
		if set.held != "" {
			left = append(left, set.name+" "+set.typ+": "+set.held)
		}
		if len(set.values) == 0 {
			continue
		}
		kind := map[string]string{"TXT": "dns_txt_record_set", "MX": "dns_mx_record_set", "CNAME": "dns_cname_record", "A": "dns_a_record_set", "AAAA": "dns_aaaa_record_set"}[set.typ]
		body := resource{"zone": p.zone() + ".", "ttl": publish.TTL}
		if name := relative(set.name, p.zone()); name != "" {
			body["name"] = name
		}
		switch set.typ {
		case "TXT":
			var all []string
			for _, v := range set.values {
				all = append(all, terraformText(v))
			}
			body["txt"] = all
		case "MX":
			var all []resource
			for _, v := range set.values {
				preference, host, _ := strings.Cut(v, " ")
				n, _ := strconv.Atoi(preference)
				all = append(all, resource{"preference": n, "exchange": host})
			}
			body["mx"] = all
		case "CNAME":
			body["cname"] = set.values[0]
		default:
			body["addresses"] = set.values
		}
		label := labelOf(relative(set.name, p.zone()))
		if resources[kind] == nil {
			resources[kind] = map[string]resource{}
		}
		for resources[kind][label] != nil { // of "a.b" and "a_b"
			label += "_"
		}
		resources[kind][label] = body
		if set.exists {
			imports = append(imports, map[string]string{"to": kind + "." + label, "id": set.name + "."})
		}
	}
	about := []string{"Mail of " + p.Domain + ", for the provider hashicorp/dns. Terraform reads \"//\" as a comment."}
	if !p.Looked {
		about = append(about, "What is published was not looked at: add the other TXT records of "+p.Domain+" to its record set, or they are lost.")
	}
	document := map[string]any{
		"//":        append(about, left...),
		"terraform": resource{"required_providers": resource{"dns": resource{"source": "hashicorp/dns"}}},
		"resource":  resources,
	}
	if imports != nil {
		document["import"] = imports
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(document); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// terraformText is a text as the provider wants it: it puts it between the quotes of a master file as it is, and splits it by itself. What
// begins a template of Terraform's is doubled.
func terraformText(s string) string {
	var b strings.Builder
	for _, part := range dns.QuoteText(s) {
		b.WriteString(part[1 : len(part)-1])
	}
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(b.String())
}

// labelOf makes a name of Terraform's of a name in the zone.
func labelOf(name string) string {
	if name == "" {
		return "apex"
	}
	label := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, name)
	return "at_" + label
}

// A set are all records of a type at a name, as they are to be.
type set struct {
	name, typ string
	values    []string
	exists    bool
	held      string // why it is left out, or what of it is
}

// sets are the record sets that the plan is about, in its order, with what else stands in them.
func (p *Plan) sets() []set {
	var all []set
	for i := range p.Records {
		r := &p.Records[i]
		if r.Type == publish.File || r.Elsewhere != "" {
			continue
		}
		at := slices.IndexFunc(all, func(s set) bool { return s.name == r.Name && s.typ == r.Type })
		if at < 0 {
			f := p.present.at(r.Name, r.Type)
			all = append(all, set{name: r.Name, typ: r.Type, values: slices.Clone(f.values), exists: len(f.values) > 0})
			at = len(all) - 1
		}
		s := &all[at]
		switch {
		case r.Held != "":
			s.held = r.Held
			s.values = nil
			continue
		case len(r.Blanks) > 0:
			s.held = "{" + strings.Join(r.Blanks, "}, {") + "} is shown in the settings of " + r.Service
			s.values = nil
			continue
		}
		s.values = slices.DeleteFunc(s.values, func(v string) bool { return r.Old != "" && same(r.Type, v, r.Old) })
		if r.New != "" {
			s.values = append(s.values, r.New)
		}
	}
	return all
}
