"""What every Python client does with its answers: one line of JSON for each."""
import json
import os

QUESTION = " ".join(map(str, range(20_000)))

# A call brings its own grant, unless the tunnel's covers it.
HEADERS = {"Writ-Grant": os.environ["GRANT"]} if "GRANT" in os.environ else {}


def say(did, **what):
    print(json.dumps({"did": did, **what}), flush=True)


def say_answer(did, status, headers, body, **more):
    lower = {name.lower(): value for name, value in headers.items()}
    say(did, status=status, headers=lower, body=body, **more)
