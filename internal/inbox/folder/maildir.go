package folder

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// flagMark stands before the flags in the name of a message; Windows does not allow the colon.
func flagMark() string {
	if runtime.GOOS == "windows" {
		return ";2,"
	}
	return ":2,"
}

// isFolder tells whether a name is that of a folder of a Maildir, as .Done or .Reports.2026 (Maildir++).
func isFolder(name string) bool {
	return len(name) > 1 && name[0] == '.' && name[1] != '.' && !strings.ContainsAny(name, `/\`)
}

// folderPath is where a folder of a Maildir is; a path of its own stays what it is.
func folderPath(maildir, name string) string {
	switch {
	case name == ".":
		return maildir
	case isFolder(name):
		return filepath.Join(maildir, name)
	}
	return name
}

// maildir looks at the messages in the folders of a Maildir: what is new, and what is in cur and was not marked by us.
func (s *scan) maildir(dir string) error {
	folders := s.o.Folders
	if len(folders) == 0 {
		folders = []string{"."}
	}
	for _, name := range folders {
		for _, sub := range []string{"new", "cur"} {
			at := filepath.Join(folderPath(dir, name), sub)
			err := s.entries(at, func(e fs.DirEntry) error {
				_, flags := splitName(e.Name())
				switch {
				case strings.HasPrefix(e.Name(), ".") || !e.Type().IsRegular():
				case strings.Contains(flags, "T"): // deleted by its reader
				case sub == "cur" && s.o.After == Seen && strings.Contains(flags, "S"):
				default:
					if info, err := e.Info(); err == nil {
						s.look(file{path: filepath.Join(at, e.Name()), key: filepath.Join(folderPath(dir, name), baseName(e.Name())),
							info: info, maildir: dir, folder: name}, false)
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			if s.stopped() {
				return nil
			}
		}
	}
	return nil
}

// splitName parts the name of a message from its flags.
func splitName(name string) (base, flags string) {
	for _, m := range []string{":2,", ";2,", "!2,"} {
		if base, flags, ok := strings.Cut(name, m); ok {
			return base, flags
		}
	}
	return name, ""
}

func baseName(name string) string {
	base, _ := splitName(name)
	return base
}

// find looks for a message whose name its reader has changed.
func (f file) find() (string, error) {
	dir := filepath.Join(folderPath(f.maildir, f.folder), "cur")
	d, err := os.Open(dir)
	if err != nil {
		return f.path, err
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(namesAtOnce)
		for _, name := range names {
			if baseName(name) == baseName(filepath.Base(f.path)) {
				return filepath.Join(dir, name), nil
			}
		}
		if err != nil {
			return f.path, fs.ErrNotExist
		}
	}
}

// markSeen moves a message to cur and marks it as read.
func markSeen(f file) error {
	base, flags := splitName(filepath.Base(f.path))
	if !strings.Contains(flags, "S") {
		all := []byte(flags + "S")
		slices.Sort(all)
		flags = string(all)
	}
	return rename(f.path, filepath.Join(folderPath(f.maildir, f.folder), "cur", base+flagMark()+flags))
}

// moveMail moves a message to another folder, with its flags: to look at it is not to read it.
func moveMail(f file, to string) error {
	dir := folderPath(f.maildir, to)
	if err := makeMaildir(dir); err != nil {
		return err
	}
	name := filepath.Base(f.path)
	if _, flags := splitName(name); flags == "" {
		name = baseName(name) + flagMark()
	}
	_, err := moveFile(f.path, filepath.Join(dir, "cur"), name)
	return err
}

// makeMaildir makes a Maildir, or a folder of one, if there is none.
func makeMaildir(dir string) error {
	if isMaildir(dir) {
		return nil
	}
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	if !isFolder(filepath.Base(dir)) {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(dir, "maildirfolder"), os.O_CREATE|os.O_WRONLY, 0o600) // as Maildir++ wants it
	if err != nil {
		return err
	}
	return f.Close()
}
