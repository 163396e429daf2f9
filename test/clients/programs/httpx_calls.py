"""httpx, in HTTP/1.1 or HTTP/2. Arguments: the version, the base URL, and a URL whose tunnel is refused."""
import sys

import httpx

from calls import HEADERS, QUESTION, say, say_answer

version, base, *elsewhere = sys.argv[1:]
client = httpx.Client(headers=HEADERS, http1=version == "HTTP/1.1", http2=version == "HTTP/2")

response = client.post(f"{base}/echo", content=QUESTION)
say_answer("echo", response.status_code, response.headers, response.text, version=response.http_version)

with client.stream("GET", f"{base}/pieces") as response:
    for piece in filter(None, response.iter_text()):
        say("pieces", piece=piece)

response = client.get(f"{base}/secret/a")
say_answer("denied", response.status_code, response.headers, response.text)

for url in elsewhere:
    try:
        client.get(url)
    except httpx.ProxyError as fault:
        say("refused", fault=str(fault))
