package dkimcheck

import (
	"crypto/rsa"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/gatepost-mail/gatepost/dkim"
)

// rocaKey was made for this test as the faulty library makes keys: k·M + (65537^a mod M) for both primes, M of the first 126 primes.
const rocaKey = "v=DKIM1; k=rsa; p=" +
	"MIIBITANBgkqhkiG9w0BAQEFAAOCAQ4AMIIBCQKCAQBn6KWbJuEPI9Pu+vekxm/vf2FvxtCgs5XpDyk6cKnn+hjT6gE6+KARd/8ZcUc9WnUMWP" +
	"VKbMWVemeQTdNKc/27BZAFoCo/MBHeQnm8o6NTzi0okCAbjNLXdR/0uXgSsFdAdOYuhtskg/saL4zlPFdVg5RACT7S6GrhZ6Ef6j4+Bo+axO+z" +
	"MvsU/5onfwjPU+vOitomQJth9Y1NjoIOaR+JBQkS9kStO52IOu0TVWFstf2wsIVmugMIDJDWqfgCdhMqXyDpIsb0uj7F49uTHzDsrrlkmObF4t" +
	"nhPS/oQsYOn+fhKpJY3x0whMzM726ZF4TSmZ7zQkxpwbsyUwVpSJNBAgMBAAE="

func TestTheMarkOfROCAIsSeen(t *testing.T) {
	key, err := dkim.ParseKey(rocaKey)
	if err != nil {
		t.Fatal(err)
	}
	if !isROCA(key.Public.(*rsa.PublicKey).N) {
		t.Error("it is not")
	}
}

func TestOtherModuliDoNotHaveTheMarkOfROCA(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n := new(big.Int)
		for range 32 {
			n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(r.Uint64()|1))
		}
		if isROCA(n) {
			t.Fatalf("%x", n)
		}
	}
}

// Too few primes would let too many moduli through.
func TestTheMarkOfROCAIsRare(t *testing.T) {
	chance := 1.0
	for _, m := range markers() {
		n := 0
		for _, power := range m.powers {
			if power {
				n++
			}
		}
		chance *= float64(n) / float64(m.prime-1)
	}
	if chance > 1.0/(1<<25) {
		t.Errorf("a modulus has it by chance once in %.0f", 1/chance)
	}
}
