"""Denials, receipts and the log, verified from the documents alone: hashlib, and Ed25519 of `cryptography`."""
import base64
import hashlib
import json
import re
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ESCAPES = {0x22: '\\"', 0x5C: "\\\\", 8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"}


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def from_base64(text):
    data = base64.b64decode(text, validate=True)
    assert base64.b64encode(data).decode() == text, "base64 in its one spelling"
    return data


def canonical(value):
    """RFC 8785: members in the order of their UTF-16 code units, no number but integers, the fewest escapes."""
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        escaped = (ESCAPES.get(ord(c)) or (f"\\u{ord(c):04x}" if ord(c) < 32 else c) for c in value)
        return '"' + "".join(escaped) + '"'
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    names = sorted(value, key=lambda name: name.encode("utf-16-be"))
    return "{" + ",".join(f"{canonical(name)}:{canonical(value[name])}" for name in names) + "}"


def strict(text):
    """I-JSON: no member twice, no float."""

    def members(pairs):
        assert len(dict(pairs)) == len(pairs), "a member twice"
        return dict(pairs)

    def never(number):
        raise AssertionError(f"a float: {number}")

    return json.loads(text, object_pairs_hook=members, parse_float=never, parse_constant=never)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def leaf(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def tree(leaves):
    """RFC 6962 §2.1, by its recursion."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node(tree(leaves[:split]), tree(leaves[split:]))


def root_of(index, size, hash_, path):
    """RFC 9162 §2.1.3.2."""
    assert index < size
    last = size - 1
    for sibling in path:
        assert last > 0, "too long a path"
        if index % 2 or index == last:
            hash_ = node(sibling, hash_)
            while index % 2 == 0 and index:
                index, last = index // 2, last // 2
        else:
            hash_ = node(hash_, sibling)
        index, last = index // 2, last // 2
    assert last == 0, "too short a path"
    return hash_


class Trust:
    """A trust file's keys: of receipts (RFC 7638 thumbprints), and of the log (a C2SP verifier key)."""

    def __init__(self, text):
        file = strict(text)
        self.receipts = {}
        for jwk in file["receiptKeys"]:
            thumbprint = hashlib.sha256(canonical({k: jwk[k] for k in ("crv", "kty", "x")}).encode()).digest()
            key = Ed25519PublicKey.from_public_bytes(from_base64url(jwk["x"]))
            self.receipts[base64url(thumbprint)] = key
        key = re.search("^log (.*)$", file["tlogPolicy"], re.M)[1]
        self.origin, key_id, encoded = re.fullmatch(r"([^+]+)\+([0-9a-f]{8})\+(.+)", key).groups()
        public = from_base64(encoded)
        self.key_id = hashlib.sha256(self.origin.encode() + b"\n" + public).digest()[:4]
        assert public[0] == 1 and self.key_id.hex() == key_id, "the key's id"
        assert self.origin.rpartition("/")[2] == sha256(public[1:])[:16], "the origin names its key"
        self.log = Ed25519PublicKey.from_public_bytes(public[1:])

    def head(self, note):
        """Size and root of a checkpoint that this log signed."""
        text, _, lines = note.rpartition("\n\n")
        text += "\n"
        signed = False
        for line in lines.removesuffix("\n").split("\n"):
            name, signature = re.fullmatch("\u2014 ([^ ]+) ([^ ]+)", line).groups()
            if name == self.origin and from_base64(signature)[:4] == self.key_id:
                self.log.verify(from_base64(signature)[4:], text.encode())
                signed = True
        assert signed, "the log's signature"
        origin, size, root, end = text.split("\n")
        assert (origin, end, str(int(size))) == (self.origin, "", size)
        return int(size), from_base64(root)

    def payload(self, envelope):
        """The bytes of a DSSE envelope that a receipt key signed."""
        assert set(envelope) == {"payload", "payloadType", "signatures"}
        kind, payload = envelope["payloadType"], from_base64(envelope["payload"])
        assert kind == "application/vnd.in-toto+json"
        [signature] = envelope["signatures"]
        assert set(signature) == {"keyid", "sig"}
        encoded = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
        self.receipts[signature["keyid"]].verify(from_base64(signature["sig"]), encoded)
        return payload


def statement(payload):
    """An in-toto Statement v1 in canonical JSON, its subject's digests over the call or else over the predicate."""
    said = strict(payload.decode())
    assert canonical(said).encode() == payload, "canonical JSON"
    assert set(said) == {"_type", "subject", "predicateType", "predicate"}
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert re.fullmatch("urn:writ:[a-z]+:v1", said["predicateType"])
    predicate = said["predicate"]
    whole = {name: value for name, value in predicate.items() if name != "entry"}
    over = canonical(predicate.get("call", whole)).encode()
    digest = {"sha256": sha256(over), "sha3_512": hashlib.sha3_512(over).hexdigest()}
    [subject] = said["subject"]
    assert set(subject) == {"name", "digest"} and subject["digest"] == digest, "the subject's digests"
    assert re.fullmatch("urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", subject["name"])
    return said


MEMBERS = "type title status detail instance code remedy receipt proof opening".split()


def denial(trust, answer):
    """Code, predicate and salt of a refusal: its head, its body in our order, its signature and where it is in the log."""
    body = strict(answer.body.decode())
    assert list(body) == MEMBERS and json.dumps(body, separators=(",", ":"), ensure_ascii=False) == answer.body.decode()
    code, identity = body["code"], body["instance"].removeprefix("urn:uuid:")
    assert answer.status == body["status"] == 403 and body["type"] == f"urn:writ:denial:{code}"
    expected = {
        "content-type": "application/problem+json",
        "cache-control": "no-store",
        "proxy-status": f'writ; error=http_request_denied; details="{code}"',
        "writ-decision": f'deny; id="{identity}"; code={code}',
    }
    for name, value in expected.items():
        assert answer.headers.get(name) == value, (name, answer.headers.get(name))
    payload = trust.payload(body["receipt"])
    said = statement(payload)
    predicate = said["predicate"]
    assert (predicate["verdict"], predicate["code"], said["subject"][0]["name"]) == ("deny", code, body["instance"])
    shown = {name: value for name, value in body.items() if name not in ("receipt", "proof")}
    assert sha256(canonical(shown).encode()) == predicate["shown"], "what is shown"
    salt = from_base64url(body["opening"]["salt"])
    assert set(body["opening"]) == {"salt"} and len(salt) == 16
    assert said["predicateType"] == "urn:writ:decision:v1"
    place, _, checkpoint = body["proof"].partition("\n\n")
    magic, index, *path = place.split("\n")
    assert (magic, index) == ("c2sp.org/tlog-proof@v1", f"index {predicate['entry']['seq']}")
    size, root = trust.head(checkpoint)
    assert root_of(predicate["entry"]["seq"], size, leaf(payload), list(map(from_base64, path))) == root, "inclusion"
    return code, predicate, salt


def tile_path(number):
    text = f"{number % 1000:03d}"
    while number := number // 1000:
        text = f"x{number % 1000:03d}/{text}"
    return text


def read_log(trust, fetch):
    """All statements of a log that is served (c2sp.org/tlog-tiles): hashes, root, chain, positions."""
    size, root = trust.head(fetch("/checkpoint").decode())
    entries = []
    for tile in range(-(-size // 256)):
        width = min(256, size - tile * 256)
        name = tile_path(tile) + ("" if width == 256 else f".p/{width}")
        bundle, first = fetch(f"/tile/entries/{name}"), len(entries)
        while bundle:
            (length,) = struct.unpack(">H", bundle[:2])
            entries.append(bundle[2 : 2 + length])
            bundle = bundle[2 + length :]
        assert len(entries) == first + width
        assert fetch(f"/tile/0/{name}") == b"".join(map(leaf, entries[first:])), "a tile's hashes"
    assert tree(list(map(leaf, entries))) == root, "the root"
    previous = "0" * 128
    said = []
    for seq, entry in enumerate(entries):
        said.append(statement(entry))
        place = said[-1]["predicate"]["entry"]
        assert set(place) == {"at", "origin", "prev", "seq"}
        assert (place["seq"], place["origin"], place["prev"]) == (seq, trust.origin, previous), f"entry {seq}"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", place["at"])
        previous = hashlib.blake2b(entry).hexdigest()
    return said
