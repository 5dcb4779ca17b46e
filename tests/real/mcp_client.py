"""Drives an agent's tools with the official client of the model context protocol, and prints what it saw as JSON.

Usage: mcp_client.py URL CONTAINER TERMINAL, with the agent's token in the variable TOKEN.
"""

import asyncio
import json
import os
import sys

from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client


async def call(client, tool, **arguments):
    """What a tool told. The client itself holds it against the tool's output schema."""
    result = await client.call_tool(tool, arguments)
    return {
        "failed": result.is_error,
        "text": [part.text for part in result.content],
        "told": result.structured_content,
    }


async def session(mode, url, container, terminal):
    headers = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
    async with create_mcp_http_client(headers=headers) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
            tools = (await client.list_tools()).tools
            return {
                "revision": client.protocol_version,
                "server": client.server_info.name,
                "instructions": client.instructions,
                "tools": [tool.name for tool in tools],
                "read_only": [tool.annotations.read_only_hint for tool in tools],
                "schemas": [tool.output_schema is not None for tool in tools],
                "list": await call(client, "list_containers"),
                "inspect": await call(client, "inspect_container", id=container),
                "logs": await call(client, "container_logs", id=container, tail=3),
                "terminal": await call(client, "container_logs", id=terminal),
                "stats": await call(client, "container_stats", id=container),
                "host": await call(client, "host_metrics"),
                "absent": await call(client, "inspect_container", id="there-is-no-such-container"),
                "stray": await call(client, "inspect_container", id="../images"),
            }


async def main():
    url, container, terminal = sys.argv[1:]
    # As the client speaks to whom it does not know, and as it speaks to those before its newest revision.
    told = {mode: await session(mode, url, container, terminal) for mode in ("auto", "legacy")}
    json.dump(told, sys.stdout)


asyncio.run(main())
