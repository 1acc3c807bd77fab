package dns

import (
	"cmp"
	"context"
	"errors"
)

// Overlay answers from the zone for every name that the zone has a record at, and asks next for the others. A name that the zone
// holds has only what the zone says: its other types do not exist. With next nil, neither do other names. Where the zone has a SOA
// record, it is whole from there on: names below it that it does not hold do not exist, unless it delegates them, or a record that was
// taken out of a master file would still be found.
//
// This is how a record is tried before it is published.
func Overlay(zone *Zone, next Resolver) Resolver {
	if next == nil {
		return zone
	}
	return overlay{zone, next}
}

type overlay struct {
	zone *Zone
	next Resolver
}

func (o overlay) Lookup(ctx context.Context, name string, typ Type) (Answer, error) {
	canonical, err := ToASCII(name)
	if err != nil {
		return Answer{}, err
	}
	if !o.zone.holds(canonical) && !o.zone.whole(canonical) {
		return o.next.Lookup(ctx, canonical, typ)
	}
	answer, left, err := o.zone.resolve(canonical, typ)
	if left == "" || left == canonical || o.zone.whole(left) {
		return answer, err
	}
	answer, err = o.next.Lookup(ctx, left, typ) // an alias for a name that the zone does not hold
	var e *Error
	if errors.As(err, &e) {
		aliased := *e // it is shared
		aliased.Name, aliased.Alias = canonical, cmp.Or(e.Alias, left)
		err = &aliased
	}
	return answer, err
}
