"""An MCP server on the Python SDK: Streamable HTTP on loopback, both eras, no sign-in.

The first line of output is ``{"url": URL}``. It ends with its standard input.
"""

import asyncio
import json
import os
import sys
import threading
from typing import Annotated

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Elicit, Resolve
from pydantic import BaseModel

server = MCPServer("keyward-interop-python")
abandoned = 0


class Who(BaseModel):
    """What the server asks a person for."""

    username: str
    email: str


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool()
async def count_slowly(steps: int, wait_ms: int, ctx: Context) -> str:
    """Counts, and reports each step."""
    global abandoned
    try:
        for step in range(steps + 1):
            await ctx.report_progress(step * 100 / steps, 100)
            await asyncio.sleep(wait_ms / 1000)
    except asyncio.CancelledError:
        abandoned += 1
        raise
    return f"Counted {steps} steps"


@server.tool()
def count_abandoned() -> str:
    """How many counts were given up by their clients."""
    return str(abandoned)


def who() -> Elicit[Who]:
    return Elicit("Who are you?", Who)


@server.tool()
def introduce(person: Annotated[Who, Resolve(who)]) -> str:
    """Asks the person behind the client who they are, in the way of the client's era."""
    return f"Hello, {person.username}"


@server.resource("note://{name}")
def note(name: str) -> str:
    """A note."""
    return f"Note {name}"


class Announcing(uvicorn.Server):
    """A server that says where it listens."""

    async def startup(self, sockets=None):
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        print(json.dumps({"url": f"http://127.0.0.1:{port}/mcp"}), flush=True)


def end_with_input():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
Announcing(uvicorn.Config(server.streamable_http_app(), host="127.0.0.1", port=0, log_level="warning")).run()
