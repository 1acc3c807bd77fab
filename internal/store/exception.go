package store

import (
	"net/netip"
	"time"
)

// An Exception lets in mail of one Author Domain that comes from a network, or that a domain signed, until a date.
type Exception struct {
	ID       int64        `json:"id"`
	Domain   string       `json:"domain"`           // "example.com", or "*.example.com" for all beneath it
	Network  netip.Prefix `json:"network,omitzero"` // this
	SDID     string       `json:"sdid,omitempty"`   // or this
	Until    time.Time    `json:"until"`            // the last moment at which it applies
	Reason   string       `json:"reason"`
	Author   string       `json:"author"`
	Created  time.Time    `json:"created"`
	Uses     int64        `json:"uses"`
	LastUsed time.Time    `json:"last_used,omitzero"`
}
