package dkimcheck

import (
	"math/big"
	"sync"
)

// Keys made by a library of Infineon's between 2012 and 2017 can be factored from the public part alone (CVE-2017-15361, ROCA). Their
// primes have the form k·M + (65537^a mod M), where M is a product of the first primes: so the modulus, divided by each of these, leaves a
// power of 65537. A modulus made otherwise does that for all of them once in about 2^28 times.

// marker is a small prime, and which remainders are powers of 65537.
type marker struct {
	prime  uint64
	powers []bool
}

// markers are for the primes of the smallest M that is in use (keys of 512 bits), where 65537 does not have all remainders as powers.
var markers = sync.OnceValue(func() []marker {
	var all []marker
	for prime := uint64(3); prime <= 167; prime += 2 {
		if !big.NewInt(int64(prime)).ProbablyPrime(0) {
			continue
		}
		m := marker{prime, make([]bool, prime)}
		n := uint64(0)
		for power := uint64(1); !m.powers[power]; power = power * 65537 % prime {
			m.powers[power] = true
			n++
		}
		if n < prime-1 {
			all = append(all, m)
		}
	}
	return all
})

// isROCA tells whether a modulus has the shape of these keys.
func isROCA(modulus *big.Int) bool {
	var p, rest big.Int
	for _, m := range markers() {
		if !m.powers[rest.Mod(modulus, p.SetUint64(m.prime)).Uint64()] {
			return false
		}
	}
	return true
}
