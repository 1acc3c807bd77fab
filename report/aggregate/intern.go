package aggregate

import "hash/maphash"

const (
	internSlots  = 1 << 11
	internLength = 128 // a longer string is mostly the only one of its kind
)

// An interner gives out strings, and the same one for what it gave out lately: a report repeats its few domains and selectors in every
// row. What it remembers is bounded; a string lives as long as whoever got it keeps it.
type interner struct {
	seed  maphash.Seed
	slots *[internSlots]string
}

func (n *interner) string(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > internLength {
		return string(b)
	}
	if n.slots == nil {
		n.seed = maphash.MakeSeed()
		n.slots = new([internSlots]string)
	}
	slot := &n.slots[maphash.Bytes(n.seed, b)%internSlots]
	if *slot != string(b) {
		*slot = string(b)
	}
	return *slot
}
