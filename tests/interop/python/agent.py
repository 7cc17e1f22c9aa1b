"""An MCP client on the Python SDK: signs in, lists and calls tools, refreshes, and says what it saw.

One argument: the MCP URL. The browser's part is done outside: each authorization URL is printed as a JSON line
``{"open": URL}`` and the callback URL is read from standard input. The last line is ``{"saw": ...}``. With a token
in ``KEYWARD_TOKEN`` it goes into a header and nobody signs in.
"""

import asyncio
import json
import os
import sys
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp.client import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

CALLBACK = "http://127.0.0.1:53683/callback"


class Memory:
    """What the SDK asks a client application to keep."""

    def __init__(self):
        self.tokens = None
        self.client = None
        self.saved = 0

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens
        self.saved += 1

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


async def open_browser(url):
    print(json.dumps({"open": url}), flush=True)


async def callback():
    line = await asyncio.to_thread(sys.stdin.readline)
    answer = parse_qs(urlsplit(line.strip()).query)
    return AuthorizationCodeResult(code=answer["code"][0], state=answer["state"][0], iss=answer["iss"][0])


async def look_around(url, mode, http_client):
    async with Client(streamable_http_client(url, http_client=http_client), mode=mode) as client:
        tools = await client.list_tools()
        whoami = await client.call_tool("whoami", {})
        return {
            "mode": mode,
            "version": client.protocol_version,
            "tools": sorted(tool.name for tool in tools.tools),
            "whoami": whoami.model_dump_json(),
        }


async def main(url):
    memory = Memory()
    metadata = OAuthClientMetadata(
        client_name="Interop Python SDK",
        redirect_uris=[CALLBACK],
        grant_types=["authorization_code", "refresh_token"],
        token_endpoint_auth_method="none",
    )

    provider = OAuthClientProvider(url, metadata, memory, open_browser, callback)
    token = os.environ.get("KEYWARD_TOKEN")

    def http():
        if token is not None:
            return httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=30)
        return httpx2.AsyncClient(auth=provider, timeout=30)

    saw = []
    for mode in ("auto", "legacy"):
        async with http() as client:
            saw.append(await look_around(url, mode, client))
        # As if an hour had passed: the next client refreshes before it sends anything.
        provider.context.token_expiry_time = 1
    print(json.dumps({"saw": saw, "token_sets": memory.saved}), flush=True)


asyncio.run(asyncio.wait_for(main(sys.argv[1]), 90))
