// Gatepost verifies the mail that arrives, signs the mail that leaves, and says why. See "gatepost --help".
package main

import (
	"os"

	"github.com/gatepost-mail/gatepost/internal/cli"
)

func main() {
	os.Exit(int(cli.Main()))
}
