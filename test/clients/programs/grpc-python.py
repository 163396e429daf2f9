"""All four kinds of gRPC call by Python's grpc, told of the proxy by its environment alone. Argument: the service."""
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


def unary(did, channel, path):
    try:
        answer, call = channel.unary_unary(path).with_call(QUESTION.encode(), timeout=20)
        say(did, piece=answer.decode())
        end(did, call)
    except grpc.RpcError as refusal:
        end(did, refusal)


turn = threading.Semaphore(1)


def words(before_each=lambda: None):
    for word in (b"one", b"two", b"three"):
        before_each()
        yield word


service = sys.argv[1]
channel = grpc.secure_channel(service, grpc.ssl_channel_credentials())

unary("unary", channel, "/test.Echo/Unary")

call = channel.unary_stream("/test.Echo/Server")(b"go", timeout=20)
for piece in call:
    say("server", piece=piece.decode())
end("server", call)

answer, call = channel.stream_unary("/test.Echo/Client").with_call(words(), timeout=20)
say("client", piece=answer.decode())
end("client", call)

call = channel.stream_stream("/test.Echo/Bidi")(words(turn.acquire), timeout=20)
for piece in call:
    say("bidi", piece=piece.decode())
    turn.release()
end("bidi", call)

unary("denied", channel, "/test.Secret/Unary")
unary("refused", grpc.secure_channel("elsewhere.test:443", grpc.ssl_channel_credentials()), "/test.Echo/Unary")
