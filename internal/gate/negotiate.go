package gate

import (
	"fmt"

	"github.com/d--j/go-milter"
)

// What we ask a mail server for. We live without any of it.
const (
	wantedActions = milter.OptAddHeader | milter.OptChangeHeader | milter.OptQuarantine | milter.OptAddRcpt | milter.OptRemoveRcpt

	// DATA and unknown commands tell us nothing. Header values keep the space after the colon, since signatures are made over it.
	wantedProtocol = milter.OptNoReplies | milter.OptNoData | milter.OptNoUnknown | milter.OptHeaderLeadingSpace
)

// negotiate takes what the mail server offers of what we want. It waits for our answer to a recipient only where that may be no.
func (g *Gate) negotiate(mtaVersion, ourVersion uint32, mtaActions, ourActions milter.OptAction, mtaProtocol, ourProtocol milter.OptProtocol, size milter.DataSize) (
	uint32, milter.OptAction, milter.OptProtocol, milter.DataSize, error) {
	if mtaVersion < 2 {
		return 0, 0, 0, 0, fmt.Errorf("the mail server speaks version %d of the milter protocol; 2 is the first that we know", mtaVersion)
	}
	if len(g.settings.Load().Routes) > 0 {
		ourProtocol &^= milter.OptNoRcptReply
	}
	return min(mtaVersion, ourVersion), mtaActions & ourActions, mtaProtocol & ourProtocol, size, nil
}
