"""aiohttp. Arguments: the base URL, and a URL whose tunnel is refused."""
import asyncio
import sys

import aiohttp

from calls import HEADERS, QUESTION, say, say_answer

base, *elsewhere = sys.argv[1:]


async def main():
    async with aiohttp.ClientSession(headers=HEADERS, trust_env=True) as session:
        async with session.post(f"{base}/echo", data=QUESTION) as response:
            say_answer("echo", response.status, response.headers, (await response.read()).decode())

        async with session.get(f"{base}/pieces") as response:
            async for piece in response.content.iter_any():
                say("pieces", piece=piece.decode())

        async with session.get(f"{base}/secret/a") as response:
            say_answer("denied", response.status, response.headers, (await response.read()).decode())

        for url in elsewhere:
            try:
                await session.get(url)
            except aiohttp.ClientHttpProxyError as fault:
                say("refused", fault=f"{fault} {fault.headers['Writ-Decision']}")


asyncio.run(main())
