package inbox

// InFile tells where a spool is.
func InFile(s *Spool) bool { return s.file != nil }
