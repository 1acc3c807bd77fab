package people

import "strconv"

// Asker is who asks, by whatever session or token: what one person may use of something is counted by it.
func (a *Access) Asker() string {
	if a.Person == 0 { // who is on the machine itself
		return a.Name
	}
	return "person " + strconv.FormatInt(a.Person, 10)
}
