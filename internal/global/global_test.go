package global_test

import (
	"net/netip"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/global"
)

func TestAddressesOfTheInternetAreGlobal(t *testing.T) {
	for _, ip := range []string{
		"1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.1", "198.17.255.255", "198.20.0.0", "223.255.255.255",
		"2001:200::1", "2600::1", "2a00::1", "::ffff:9.9.9.9", "64:ff9b::909:909", "2002:909:909::1",
		"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1",
	} {
		if !global.Is(netip.MustParseAddr(ip)) {
			t.Errorf("%s is said not to be global", ip)
		}
	}
}

func TestAddressesWithinANetworkAreNotGlobal(t *testing.T) {
	for _, ip := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.255", "169.254.169.254",
		"172.16.0.1", "172.31.255.255", "192.0.0.8", "192.168.1.1", "198.18.0.1", "198.19.255.255", "224.0.0.1", "239.1.1.1", "240.0.0.1",
		"255.255.255.255",
		"::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:7f00:1", "64:ff9b::a00:1", "64:ff9b::7f00:1", "64:ff9b:1::1",
		"100::1", "2001::1", "2002:a00:1::1", "2002:7f00:1::", "fc00::1", "fd00::1", "fe80::1", "fe80::1%eth0", "2a00::1%eth0", "fec0::1", "ff02::1",
		"200::1", "300::1", "400::1", "4000::1", "5f00::1", "8000::1", "100:0:0:1::1",
	} {
		if global.Is(netip.MustParseAddr(ip)) {
			t.Errorf("%s is said to be global", ip)
		}
	}
	if global.Is(netip.Addr{}) {
		t.Error("no address is said to be global")
	}
}
