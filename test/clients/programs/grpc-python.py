"""All four kinds of gRPC call by Python's grpc, permitted and denied. Arguments: the service, `tls` or `clear`, and a
grant, which otherwise goes with the proxy of its environment."""
import json
import sys
import threading

import grpc

QUESTION = " ".join(str(i) for i in range(20_000))


def say(did, **what):
    print(json.dumps({"did": did, **what}), flush=True)


def end(did, call):
    """Says how a call ended: its status, head and trailers together, and the denial where it is one."""
    pairs = [*(call.initial_metadata() or ()), *(call.trailing_metadata() or ())]
    headers = {name: value if isinstance(value, str) else value.decode() for name, value in pairs}
    say(did, status=call.code().value[0], headers=headers, body=headers.get("writ-problem-bin", ""))


def words(before_each=lambda: None):
    for word in (b"one", b"two", b"three"):
        before_each()
        yield word


def unary(did, channel, of):
    answer, call = channel.unary_unary(of + "/Unary").with_call(QUESTION.encode(), **options)
    say(did, piece=answer.decode())
    return call


def server(did, channel, of):
    call = channel.unary_stream(of + "/Server")(b"go", **options)
    for piece in call:
        say(did, piece=piece.decode())
    return call


def client(did, channel, of):
    answer, call = channel.stream_unary(of + "/Client").with_call(words(), **options)
    say(did, piece=answer.decode())
    return call


def bidi(did, channel, of):
    turn = threading.Semaphore(1)
    call = channel.stream_stream(of + "/Bidi")(words(turn.acquire), **options)
    for piece in call:
        say(did, piece=piece.decode())
        turn.release()
    return call


def attempt(did, kind, channel, of):
    try:
        end(did, kind(did, channel, of))
    except grpc.RpcError as refusal:
        end(did, refusal)


def open_channel(service):
    if security == "clear":
        return grpc.insecure_channel(service)
    return grpc.secure_channel(service, grpc.ssl_channel_credentials())


service, security, *grant = sys.argv[1:]
options = {"timeout": 20, "metadata": [("writ-grant", token) for token in grant]}
channel = open_channel(service)

for kind in (unary, server, client, bidi):
    attempt(kind.__name__, kind, channel, "/test.Echo")
for kind in (unary, server, client, bidi):
    attempt(kind.__name__ + ", denied", kind, channel, "/test.Secret")
if not grant:
    attempt("refused", unary, open_channel("elsewhere.test:443"), "/test.Echo")
