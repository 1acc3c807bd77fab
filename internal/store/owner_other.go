//go:build !unix

package store

import "os"

func giveAway(*os.File, string) error { return nil }
