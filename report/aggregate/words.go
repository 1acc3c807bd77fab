package aggregate

// A vocabulary is what words an element may hold, by any standard. It gives the word that a value is, without regard to case, or "".
type vocabulary func(value []byte) string

func dispositions(v []byte) string {
	switch string(v) {
	case "none":
		return "none"
	case "pass":
		return "pass"
	case "quarantine":
		return "quarantine"
	case "reject":
		return "reject"
	}
	return ""
}

func policies(v []byte) string {
	if w := dispositions(v); w != "pass" {
		return w
	}
	return ""
}

func evaluated(v []byte) string {
	switch string(v) {
	case "pass":
		return "pass"
	case "fail":
		return "fail"
	}
	return ""
}

// dkimResults are those of RFC 8601 2.7.1.
func dkimResults(v []byte) string {
	switch string(v) {
	case "pass":
		return "pass"
	case "fail":
		return "fail"
	case "none":
		return "none"
	case "policy":
		return "policy"
	case "neutral":
		return "neutral"
	case "temperror":
		return "temperror"
	case "permerror":
		return "permerror"
	}
	return ""
}

// spfResults are those of RFC 8601 2.7.2.
func spfResults(v []byte) string {
	if string(v) == "softfail" {
		return "softfail"
	}
	return dkimResults(v)
}

func scopes(v []byte) string {
	switch string(v) {
	case "mfrom":
		return "mfrom"
	case "helo":
		return "helo"
	}
	return ""
}

func reasonTypes(v []byte) string {
	switch string(v) {
	case "local_policy":
		return "local_policy"
	case "mailing_list":
		return "mailing_list"
	case "other":
		return "other"
	case "policy_test_mode":
		return "policy_test_mode"
	case "trusted_forwarder":
		return "trusted_forwarder"
	case "forwarded":
		return "forwarded"
	case "sampled_out":
		return "sampled_out"
	}
	return ""
}

func alignments(v []byte) string {
	switch string(v) {
	case "r":
		return "r"
	case "s":
		return "s"
	}
	return ""
}

func yesNo(v []byte) string {
	switch string(v) {
	case "n":
		return "n"
	case "y":
		return "y"
	}
	return ""
}

func discoveries(v []byte) string {
	switch string(v) {
	case "psl":
		return "psl"
	case "treewalk":
		return "treewalk"
	}
	return ""
}

// commonWords are of any vocabulary: a result that stands where another's words are due is still known to be no pass.
func commonWords(v []byte) string {
	if w := spfResults(v); w != "" {
		return w
	}
	return dispositions(v)
}

// appendLower appends ASCII in lower case.
func appendLower(dst, v []byte) []byte {
	for _, c := range v {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}
