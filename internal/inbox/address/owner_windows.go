package address

// ownAs does nothing: a file on Windows has the rights of its folder.
func ownAs(string, string) error { return nil }
