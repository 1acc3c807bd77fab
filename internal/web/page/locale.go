package page

import (
	"net/http"

	"golang.org/x/text/language"
)

// supported are the ways to write numbers that readers can have. The words are English in each.
var supported = []language.Tag{
	language.BritishEnglish, language.AmericanEnglish, language.MustParse("en-IN"), language.German, language.MustParse("de-CH"), language.French,
	language.Spanish, language.Italian, language.Dutch, language.EuropeanPortuguese, language.BrazilianPortuguese, language.Polish, language.Czech,
	language.Danish, language.Swedish, language.Norwegian, language.Finnish, language.Hungarian, language.Romanian, language.Greek,
	language.Turkish, language.Ukrainian, language.Russian, language.Japanese, language.Korean, language.Chinese,
}

var locales = language.NewMatcher(supported)

const longestLocale = 200 // bytes of Accept-Language that are read

// reader is the language in which the reader's numbers are written.
func reader(r *http.Request) language.Tag {
	asked := r.Header.Get("Accept-Language")
	if len(asked) > longestLocale {
		asked = ""
	}
	tags, _, err := language.ParseAcceptLanguage(asked)
	if err != nil || len(tags) == 0 {
		return supported[0]
	}
	_, i, _ := locales.Match(tags...)
	return supported[i]
}
