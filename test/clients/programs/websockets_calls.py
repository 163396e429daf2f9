"""websockets, which knows no proxies (before 15): to ws:// as it is, to wss:// in a tunnel that this program opens.
Arguments: the base URL, and for wss:// the proxy's."""
import asyncio
import base64
import socket
import sys
from urllib.parse import urlsplit

import websockets

from calls import HEADERS, QUESTION, say

base, *proxies = sys.argv[1:]


def tunnel(proxy, target):
    """A socket that the proxy has connected to the target's host."""
    via, to = urlsplit(proxy), urlsplit(target)
    grant = base64.b64encode(f"{via.username}:{via.password}".encode()).decode()
    lines = [f"CONNECT {to.netloc} HTTP/1.1", f"Host: {to.netloc}", f"Proxy-Authorization: Basic {grant}"]
    connection = socket.create_connection((via.hostname, via.port))
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ConnectionError(head.decode())
    return connection


def open_socket(path):
    inside = {}
    if proxies:
        inside = {"sock": tunnel(proxies[0], base), "server_hostname": urlsplit(base).hostname}
    return websockets.connect(base + path, extra_headers=HEADERS, max_size=None, **inside)


async def main():
    async with open_socket("/chat") as chat:
        for message in ["one", "two", QUESTION]:
            await chat.send(message)
            say(message[:3], same=await chat.recv() == message)
        say("opened", headers={"writ-decision": chat.response_headers["Writ-Decision"]})
    try:
        await open_socket("/secret/chat")
    except websockets.InvalidStatusCode as refusal:
        headers = {name.lower(): value for name, value in refusal.headers.raw_items()}
        say("denied", status=refusal.status_code, headers=headers)


asyncio.run(main())
