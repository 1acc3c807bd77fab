"""Audits domains by checkdmarc, with the name server at a port of loopback, and prints how many, and the seconds that it took."""

import sys
import time

import checkdmarc
import dns.resolver

resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers = ["127.0.0.1"]
resolver.port = int(sys.argv[1])
domains = sys.argv[2:]
start = time.monotonic()
results = checkdmarc.check_domains(domains, resolver=resolver)
print(len(results), time.monotonic() - start)
