"""Signs and verifies with dkimpy: a batch of requests on standard input, their responses on standard output, as JSON."""

import base64
import json
import sys

import dkim

batch = json.load(sys.stdin)
records = {name + ".": text.encode() for name, text in batch["dns"].items()}


def lookup(name, timeout=5):
    return records.get(name.decode() if isinstance(name, bytes) else name)


def verify(request, message):
    """The result of each signature, the topmost first."""
    results = []
    count = sum(name.lower() == b"dkim-signature" for name, _ in dkim.DKIM(message).headers)
    for i in range(count):
        try:
            results.append("pass" if dkim.DKIM(message).verify(i, dnsfunc=lookup) else "fail")
        except dkim.DKIMException as e:
            results.append("error: %s" % e)
    return {"results": results}


def sign(request, message):
    algorithm = request["algorithm"]
    d = dkim.DKIM(message, signature_algorithm=algorithm.encode())
    field = d.sign(
        request["selector"].encode(), request["domain"].encode(), batch["keys"][algorithm].encode(),
        canonicalize=tuple(c.encode() for c in request["canonicalization"].split("/")),
        include_headers=[h.encode() for h in request["headers"]], length=request.get("length", False))
    return {"fields": base64.b64encode(field).decode()}


def arc_verify(request, message):
    result, _, reason = dkim.ARC(message).verify(dnsfunc=lookup)
    return {"results": [result.decode() if result else "ended"], "error": reason}


def arc_sign(request, message):
    fields = dkim.arc_sign(
        message, request["selector"].encode(), request["domain"].encode(), batch["keys"]["rsa-sha256"].encode(),
        request["authserv_id"].encode(), include_headers=[h.encode() for h in request["headers"]])
    return {"fields": base64.b64encode(b"".join(fields)).decode()}


operations = {"verify": verify, "sign": sign, "arc-verify": arc_verify, "arc-sign": arc_sign}
responses = []
for request in batch["requests"]:
    try:
        responses.append(operations[request["op"]](request, base64.b64decode(request["message"])))
    except Exception as e:
        responses.append({"error": "%s: %s" % (type(e).__name__, e)})
json.dump(responses, sys.stdout)
