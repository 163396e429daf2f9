"""Grants as an authority of one's own would sign them, good and bad; and the code that each must meet."""
import itertools
import json
import os
import time
import uuid

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from evidence import base64url, from_base64url

LIMIT = 8192


def uuid7():
    random = os.urandom(10)
    data = int(time.time() * 1000).to_bytes(6, "big") + bytes([0x70 | random[0] & 15, random[1], 0x80 | random[2] & 63])
    return str(uuid.UUID(bytes=data + random[3:]))


class Authority:
    """Signs whatever it is asked to."""

    def __init__(self, iss, seed, audience, location):
        self.iss, self.audience, self.location = iss, audience, location
        self.key = Ed25519PrivateKey.from_private_bytes(from_base64url(seed))

    def claims(self, entry=None, **members):
        now = int(time.time())
        scope = {"type": "writ_http", "locations": [self.location], "actions": ["GET", "POST"], **(entry or {})}
        usual = {"iss": self.iss, "sub": "agent:outsider", "aud": self.audience, "jti": uuid7(), "iat": now}
        return {**usual, "exp": now + 600, "authorization_details": [scope], **members}

    def sign(self, payload, header=None, key=None):
        """A compact JWS over these texts, or over JSON of these values."""
        header = header or {"alg": "EdDSA", "typ": "writ-grant+jwt"}
        parts = [part if isinstance(part, str) else json.dumps(part, ensure_ascii=False) for part in (header, payload)]
        signed = ".".join(base64url(part.encode("utf-8", "surrogatepass")) for part in parts)
        return f"{signed}.{base64url((key or self.key).sign(signed.encode()))}"

    def grant(self, entry=None, **members):
        return self.sign(self.claims(entry, **members))

    def sized(self, length):
        """A good token of exactly so many characters: JSON may hold white space."""
        header = json.dumps({"alg": "EdDSA", "typ": "writ-grant+jwt"})
        while (room := length - 88 - len(base64url(header.encode()))) % 4 == 1:  # no base64url has this length
            header += " "
        return self.sign(json.dumps(self.claims()).ljust(room * 3 // 4), header)


def accepted(by):
    """What formats.md §2 allows, at its limits."""
    now = int(time.time())
    yield "alg Ed25519", by.sign(by.claims(), {"alg": "Ed25519", "typ": "writ-grant+jwt"})
    yield "16 claims", by.grant(claims={f"c{i}": "" for i in range(16)})
    yield "claims of 1 KiB", by.grant(claims={"a": "x" * (1024 - 8)})
    yield "claims of 1 KiB of UTF-8", by.grant(claims={"a": "é" * (512 - 4)})
    yield "an intent of 1024 characters", by.grant(intent="x" * 1024)
    yield "an intent of 1024 characters beyond U+FFFF", by.grant(intent="\U0001f600" * 1024)
    yield "unusual characters", by.grant(intent='\u2028\u2029"\\/\x00\x1f\b\f\n\r\t\x7f\x80\ufeff\uffff\U0010ffff\ue000')
    yield "members whose order in UTF-16 is not that in UTF-8", by.grant(claims={"\U00010000": "a", "\uffff": "b", "": "c"})
    yield "iat 25 s ahead", by.grant(iat=now + 25)
    yield "an hour", by.grant(iat=now - 5, exp=now + 3595)
    yield "ws:", by.grant({"locations": [by.location.replace("http:", "ws:")]})
    yield "**", by.grant({"paths": ["/**"]})
    yield "8192 characters", by.sized(LIMIT)


def refused(by):
    """What it refuses, mostly one past its limits."""
    now = int(time.time())
    good = by.grant()
    claims = lambda **members: ("grant_claims_invalid", by.grant(**members))
    entry = lambda **members: ("grant_claims_invalid", by.grant(members))
    header = lambda **members: ("grant_malformed", by.sign(by.claims(), {"alg": "EdDSA", "typ": "writ-grant+jwt", **members}))
    text = json.dumps(by.claims(intent="X"))
    payload = lambda old, new: ("grant_malformed", by.sign(text.replace(old, new)))
    for wrong in ({"alg": "none"}, {"alg": "HS256"}, {"typ": "JWT"}, {"kid": None}, {"crit": ["exp"]}, {"jwk": {}}):
        yield str(wrong), *header(**wrong)
    yield "a member twice", *payload('"X"', '"X","intent":"X"')
    yield "a member twice, once escaped", *payload('"X"', '"X","\\u0069ntent":"X"')
    yield "a lone surrogate", *payload('"X"', '"\\ud800"')
    yield "bytes of a surrogate", *payload('"X"', '"\ud800"')
    yield "minus zero", *payload('"X"', '"X","nbf":-0')
    yield "half a second", *payload('"X"', '"X","nbf":0.5')
    yield "padding", "grant_malformed", f"{good}=="
    yield "another spelling of the signature", "grant_malformed", good[:-1] + chr(ord(good[-1]) + 1)
    yield "8193 characters", "grant_too_large", by.sized(LIMIT + 1)
    yield "9 tokens", "grant_too_large", ",".join(["a.b.c"] * 9)
    yield "8 tokens", "grant_malformed", ",".join(["a.b.c"] * 8)
    yield "sizes come before shapes", "grant_too_large", "a.b.c," + "a" * (LIMIT + 1)
    yield "a chain of 10 KiB", "grant_chain_unsupported", f"{by.sized(5119)},{by.sized(5120)}"
    yield "a chain of 10 KiB and one", "grant_too_large", f"{by.sized(5120)},{by.sized(5120)}"
    yield "no kid, no such issuer", "grant_unknown_key", by.grant(iss="urn:other")
    yield "17 claims", *claims(claims={f"c{i}": "" for i in range(17)})
    yield "claims of 1 KiB and one", *claims(claims={"a": "x" * (1025 - 8)})
    yield "a claim that is a number", *claims(claims={"a": 1})
    yield "an intent of 1025 characters", *claims(intent="x" * 1025)
    yield "an unknown claim", *claims(scope="all")
    yield "a list of audiences", *claims(aud=[by.audience])
    yield "a UUIDv4", *claims(jti=str(uuid.uuid4()))
    yield "capitals in jti", *claims(jti=uuid7().upper())
    yield "exp is iat", *claims(iat=now, exp=now)
    yield "no entry", *claims(authorization_details=[])
    yield "an unknown member", *entry(hosts=[])
    yield "another type", *entry(type="other")
    yield "a default port", *entry(locations=["https://a.example:443"])
    yield "capitals in a location", *entry(locations=["https://A.example"])
    yield "** inside", *entry(paths=["/**/a"])
    yield "iat 35 s ahead", "grant_not_yet_valid", by.grant(iat=now + 35)
    yield "an hour and a second", "grant_lifetime", by.grant(iat=now - 5, exp=now + 3596)
    yield "exp is now", "grant_expired", by.grant(iat=now - 60, exp=now)


STRANGER = Ed25519PrivateKey.generate()

# One fault of each check, in the order of formats.md §2; a fault changes the parts of a call.
ORDER = [
    ("path_empty_segment", lambda call: call.update(path="//a")),
    ("grant_too_large", lambda call: call.update(tail="a" * 9000)),
    ("grant_malformed", lambda call: call["header"].update(crit=[])),
    ("grant_unknown_key", lambda call: call["claims"].update(iss="urn:other")),
    ("grant_bad_signature", lambda call: call.update(key=STRANGER)),
    ("grant_claims_invalid", lambda call: call["claims"].update(jti="a")),
    ("grant_claims_invalid", lambda call: call["entry"].update(hosts=[])),
    ("grant_chain_unsupported", lambda call: call.update(child=True)),
    ("grant_wrong_audience", lambda call: call["claims"].update(aud="other")),
    ("grant_lifetime", lambda call: call["claims"].update(iat=1)),
    ("grant_not_yet_valid", lambda call: call["claims"].update(nbf=int(time.time()) + 300)),
    ("grant_wrong_policy", lambda call: call["claims"].update(policy={"sha256": "a" * 64})),
    ("grant_environment_unsupported", lambda call: call["claims"].update(env={"image": "a"})),
    ("grant_possession_unsupported", lambda call: call["claims"].update(cnf={"jwk": {}})),
    ("scope_location", lambda call: call["entry"].update(locations=["http://a.example"])),
    ("scope_action", lambda call: call["entry"].update(actions=["PUT"])),
    ("scope_path", lambda call: call["entry"].update(paths=["/other"])),
    ("scope_request_bytes", lambda call: call.update(body="abc") or call["entry"].update(max_request_bytes=2)),
    ("scope_content", lambda call: call["entry"].update(content_sha256="a" * 64)),
]


def pairs(by):
    """Two faults at once: code of the earlier check, name of the later one, grant, path, body."""
    for (code, one), (later, other) in itertools.combinations(ORDER, 2):
        call = {"header": {"alg": "EdDSA", "typ": "writ-grant+jwt"}, "claims": {}, "entry": {}, "path": "/a", "body": ""}
        other(call)
        one(call)
        token = by.sign(by.claims(call["entry"], **call["claims"]), call["header"], call.get("key"))
        token += f",{by.grant()}" if call.get("child") else ""
        yield code, later, token + call.get("tail", ""), call["path"], call["body"]
