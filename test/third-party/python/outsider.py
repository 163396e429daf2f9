"""
Checks a running sidecar against its documented formats, as somebody who has nothing else: makes grants, calls, and verifies
every answer and the whole log. Standard input: {forward, admin, token, trust, authority: {iss, d}, upstream, inputs, schema}.
"""
import collections
import datetime
import glob
import http.client
import json
import sys

import jsonschema

from evidence import Trust, canonical, denial, from_base64url, read_log, sha256, strict
from grants import Authority, accepted, pairs, refused

Answer = collections.namedtuple("Answer", "status headers body")
QUERY = "a=1&b=%E2%80%A8?c&__proto__=d"
SECRET = {"Authorization": "Bearer tell-nobody", "Cookie": "a=b", "X-Plain": 'a "quoted" \\ one'}
CONTENTS = [
    ("application/json", '{"a":[1,-1,0.5,1e3,null,true,"\u2028\U0001f600\\u0000",{"":{}}],"__proto__":1,"\uffff":2}'),
    ("application/json", '"text"'),
    ("application/x-www-form-urlencoded", "a=1&a=2&=&__proto__=%E2%80%A8"),
    ("multipart/form-data; boundary=B", '--B\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nc\r\n--B--\r\n'),
    ("application/json", '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"__proto__":1}}}'),
    ("application/json", '[{"jsonrpc":"2.0","method":"notifications/initialized"},{"jsonrpc":"2.0","id":"a","result":{}}]'),
    ("text/plain", "neither"),
]


class Sidecar:
    """The forward port and the admin port of one sidecar."""

    def __init__(self, given):
        self.given = given
        self.forward = http.client.HTTPConnection("127.0.0.1", given["forward"])

    def call(self, path, grant, body="", method="", headers=None):
        sent = {**({"Writ-Grant": grant} if grant else {}), **(headers or {})}
        method = method or ("POST" if body else "GET")
        self.forward.request(method, self.given["upstream"] + path, body.encode() or None, sent)
        answer = self.forward.getresponse()
        values = answer.getheaders()
        assert len({name.lower() for name, _ in values}) == len(values), "a header twice"
        return Answer(answer.status, {name.lower(): value for name, value in values}, answer.read())

    def fetch(self, path):
        admin = http.client.HTTPConnection("127.0.0.1", self.given["admin"])
        admin.request("GET", path, headers={"Authorization": f"Bearer {self.given['token']}"})
        answer = admin.getresponse()
        assert answer.status == 200, (path, answer.status)
        return answer.read()


def check_grants(sidecar, trust, authority):
    for name, token in accepted(authority):
        answer = sidecar.call("/a", token)
        assert answer.status == 200, (name, answer)
    for name, code, token in refused(authority):
        found = denial(trust, sidecar.call("/a", token))[0]
        assert found == code, f"{name}: {found}, not {code}"
    for code, later, token, path, body in pairs(authority):
        found = denial(trust, sidecar.call(path, token, body))[0]
        assert found == code, f"{code} comes before {later}, but {found} was answered"


def check_salted(sidecar, trust):
    """The digests over `salt ‖ bytes` of formats.md §3: of the query, the headers, and a target that could not be read."""
    _, predicate, salt = denial(trust, sidecar.call(f"/a?{QUERY}", None, headers=SECRET))
    call = predicate["call"]
    host = sidecar.given["upstream"].removeprefix("http://")
    headers = [["host", host], ["accept-encoding", "identity"], ["authorization", "bearer"], ["cookie", "other"]]
    headers += [["x-plain", SECRET["X-Plain"]], ["traceparent", predicate["trace"]]]
    assert call["query"] == sha256(salt + QUERY.encode()), "query"
    assert call["headers"] == sha256(salt + canonical(headers).encode()), "headers"
    assert call["content"] is None and predicate["grant"] is None
    _, predicate, salt = denial(trust, sidecar.call("/a//b", None))
    target = sha256(salt + f"{sidecar.given['upstream']}/a//b".encode())
    assert predicate["call"] == {"method": "GET", "target": target}, "target"


def check_calls(sidecar, authority):
    """Contents of each kind; and that nobody else can pose as the sidecar. Answers what stands for each in the log."""
    grant = authority.grant(claims={"": "\u2028", "constructor": "a"}, intent="\ue000\U00010000")
    marks = []
    for kind, content in CONTENTS:
        answer = sidecar.call(f"/pose?{QUERY}", grant, content, headers={**SECRET, "Content-Type": kind})
        permitted = answer.headers["writ-decision"].startswith('permit; id="')
        assert permitted == (kind != "text/plain") and "writ-other" not in answer.headers
        if permitted:
            assert "proxy-status" not in answer.headers
            marks.append((int(answer.headers["writ-decision"].rpartition("entry=")[2]), content.encode(), answer.body))
    return marks


def check_log(said, marks, outcomes):
    """Entry 0, and that each permit has an outcome with what streamed."""
    genesis = said[0]
    assert genesis["predicateType"] == "urn:writ:genesis:v1"
    assert set(genesis["predicate"]) == {"entry", "formats", "log_key", "receipt_key"}
    for seq, sent, came in marks:
        predicate = said[seq]["predicate"]
        assert predicate["verdict"] == "permit" and predicate["call"]["content"]["sha256"] == sha256(sent)
        outcome = outcomes[seq]
        assert (outcome["ended"], outcome["status"]) == ("complete", 200)
        for part, content in (("request", sent), ("response", came)):
            assert (outcome[part]["bytes"], outcome[part]["sha256"]) == (len(content), sha256(content))


def texts_in(line):
    """The inputs of a line, as they were: between two stand a tab and a comma."""
    head, _, rest = line.partition('"inputs":[')
    return head, rest.removesuffix("]}").split("\t,")


def kept_lines(folder):
    """Every whole line of what was kept."""
    lines = []
    for path in glob.glob(f"{folder}/*.jsonl"):
        with open(path, encoding="utf-8", newline="\n") as file:
            lines += file.read().split("\n")[:-1]
    return lines


def check_inputs(given, said):
    """What policies were asked has its digest on record, and is as the schema says."""
    with open(given["schema"], encoding="utf-8") as file:
        schema = jsonschema.Draft202012Validator(json.load(file))
    decisions = {one["predicate"]["replay"]["input"]: one["predicate"] for one in said if "replay" in one["predicate"]}
    kinds = collections.Counter()
    lines = []
    while len(lines) < len(decisions):  # they are written later than the decision
        lines = kept_lines(given["inputs"])
    for line in lines:
        head, texts = texts_in(line)
        kept = json.loads(line)
        predicate = decisions[kept["digest"]]
        assert sha256(from_base64url(kept["salt"]) + "\n".join(texts).encode()) == kept["digest"], "replay.input"
        result = head.partition('"result":')[2].removesuffix(",")
        if result != "null":  # no answer that could be used
            assert result == canonical(kept["result"]) and sha256(result.encode()) == predicate["replay"]["result"]
        for one in map(json.loads, texts):
            schema.validate(one)
            now = datetime.datetime.fromisoformat(one["time"]["now"].replace("Z", "+00:00"))
            assert one["time"]["now"] == predicate["replay"]["now"]
            assert (one["time"]["weekday"], one["time"]["hour"]) == (now.isoweekday() % 7, now.hour)
            kinds[one["call"]["content"].get("kind", "none")] += 1
    assert set(kinds) == {"none", "json", "form", "multipart", "mcp"}, kinds
    return sum(kinds.values())


def main():
    given = strict(sys.stdin.read())
    trust = Trust(given["trust"])
    sidecar = Sidecar(given)
    authority = Authority(given["authority"]["iss"], given["authority"]["d"], trust.origin, given["upstream"])
    check_grants(sidecar, trust, authority)
    check_salted(sidecar, trust)
    marks = check_calls(sidecar, authority)
    waiting = True
    while waiting:  # an outcome follows its call
        said = read_log(trust, sidecar.fetch)
        outcomes = {one["predicate"]["permit"]: one["predicate"] for one in said if ":outcome:" in one["predicateType"]}
        waiting = [seq for seq, one in enumerate(said) if one["predicate"].get("verdict") == "permit" and seq not in outcomes]
    check_log(said, marks, outcomes)
    print(f"{len(said)} entries, {check_inputs(given, said)} inputs")


main()
