package insight

import "fmt"

// Change says how a number changed.
func Change(now, old int64) string {
	switch {
	case now == old:
		return "as before"
	case old == 0:
		return "0 before"
	}
	percent := float64(now-old) * 100 / float64(old)
	switch {
	case percent >= 1000:
		return fmt.Sprintf("%s before", Number(old))
	case percent >= 0.5:
		return fmt.Sprintf("+%.0f %%", percent)
	case percent <= -0.5:
		return fmt.Sprintf("−%.0f %%", -percent)
	}
	return "about as before"
}

// SamePoints are so few points of percent that a share counts as unchanged.
const SamePoints = 0.05

// Points says how a share changed.
func Points(points float64) string {
	switch {
	case points >= SamePoints:
		return fmt.Sprintf("+%.1f points", points)
	case points <= -SamePoints:
		return fmt.Sprintf("−%.1f points", -points)
	}
	return "as before"
}
