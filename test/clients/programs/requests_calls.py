"""Python requests. Arguments: the base URL, and a URL whose tunnel is refused."""
import sys

import requests

from calls import HEADERS, QUESTION, say, say_answer

base, *elsewhere = sys.argv[1:]
session = requests.Session()
session.headers.update(HEADERS)

response = session.post(f"{base}/echo", data=QUESTION)
say_answer("echo", response.status_code, response.headers, response.content.decode())

with session.get(f"{base}/pieces", stream=True) as response:
    for piece in response.iter_content(chunk_size=None):
        say("pieces", piece=piece.decode())

response = session.get(f"{base}/secret/a")
say_answer("denied", response.status_code, response.headers, response.content.decode())

for url in elsewhere:
    try:
        session.get(url)
    except requests.exceptions.ProxyError as fault:
        say("refused", fault=str(fault))
