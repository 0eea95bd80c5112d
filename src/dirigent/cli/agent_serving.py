"""Serving one agent: a process that other engines call."""

from __future__ import annotations

import asyncio
import socket

from dirigent import __version__
from dirigent.bootstrap.agent_server import AgentServer
from dirigent.cli.failures import DONE
from dirigent.cli.screen import Screen, facts
from dirigent.cli.server import hearing_signals, listening, url_of


def serve_agent(server: AgentServer, screen: Screen) -> int:
    """Serve until a signal asks for the end; what runs then goes on at the next start."""
    _ = server.keys  # without one nobody is to listen, not even for a moment
    with listening(server.settings.host, server.settings.port) as listener:
        asyncio.run(_serve(server, screen, listener))
    screen.say("Stopped. What had not ended goes on at the next start.")
    return DONE


async def _serve(server: AgentServer, screen: Screen, listener: socket.socket) -> None:
    async with server:
        with hearing_signals(server.app()) as http:
            url = url_of(server.settings.host, listener)
            server.lock.publish(url)
            _announce(screen, server, url)
            await http.serve(sockets=[listener])


def _announce(screen: Screen, server: AgentServer, url: str) -> None:
    settings = server.settings
    told = {
        "use it": f"{settings.agent_variable(server.agent.key)}={url}",
        "key": "DIRIGENT_AGENT_KEY" if settings.agent_keys else str(settings.agent_key_file),
        "actions": ", ".join(server.agent.actions),
        "data": settings.data_folder.resolve(),
        "delivery": "on" if settings.allow_delivery else "off: what would leave is refused",
        "resumed": f"{len(server.resumed)} executions",
    }
    if screen.json:
        screen.document({"url": url, "agent": server.agent.key, **told})
        return
    screen.heading(f"Dirigent {__version__} serves the agent {server.agent.key} at {url}")
    screen.show(facts(told))
    screen.say("Ctrl-C stops it.")
