"""Agents whose server the environment names: called there, judged here."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from dirigent.bootstrap.agent_keys import key_to_call_with
from dirigent.domain.agent import ActionSpec, AgentSpec
from dirigent.domain.errors import InvalidInput
from dirigent.execution.blocking import BlockingCalls
from dirigent.execution.elsewhere import RemoteAction
from dirigent.execution.registry import Action, Registry
from dirigent.integrations.agent_client import AgentClient
from dirigent.ports.remote import RemoteAgent
from dirigent.security.destinations import destination_of, is_loopback
from dirigent.settings import AGENT_ADDRESSES, Settings

if TYPE_CHECKING:
    import httpx2


class RemoteAgents:
    """The servers of agents, by the agent's key. An agent without an address in the environment runs here.

    Raises `InvalidInput`, naming the variable, for what cannot be the address of a server.
    """

    def __init__(
        self, registry: Registry, settings: Settings, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self.servers: dict[str, RemoteAgent] = {}
        self._settings = settings
        self._transport = transport
        if settings.agent_addresses:
            registry.place(self._action)

    def shown(self) -> dict[str, dict[str, str | None]]:
        """By agent: which variable names its server, the address that is printed for it, the one in use."""
        keys = sorted({*AGENT_ADDRESSES, *self.servers})
        return {
            key: {
                "variable": self._settings.agent_variable(key),
                "default": AGENT_ADDRESSES.get(key, ("", None))[1],
                "address": self.servers[key].address if key in self.servers else None,
            }
            for key in keys
        }

    async def look(self) -> None:
        """Ask every server whether it is there."""
        await asyncio.gather(*(server.look() for server in self.servers.values()))

    async def close(self) -> None:
        """Let go of every connection."""
        for server in self.servers.values():
            await server.close()

    def _action(self, agent: AgentSpec, spec: ActionSpec, instance: Any, blocking: BlockingCalls) -> Action:
        server = self._server_of(agent.key)
        if server is None:
            return Action(agent, spec, instance, blocking)
        return RemoteAction(agent, spec, instance, blocking, server)

    def _server_of(self, agent: str) -> RemoteAgent | None:
        known = self.servers.get(agent)
        variable = self._settings.agent_variable(agent)
        address = self._settings.agent_addresses.get(variable)
        if known is None and address is not None:
            _check(variable, address, self._settings)
            key = partial(key_to_call_with, self._settings, address)
            known = self.servers[agent] = AgentClient(agent, address, key, self._transport)
        return known


def _check(variable: str, address: str, settings: Settings) -> None:
    try:
        destination = destination_of(address)
    except InvalidInput as error:
        raise InvalidInput(f"{variable}: {error.message}", fix=error.fix, field=variable) from error
    if "?" in address or "#" in address:
        raise InvalidInput(f"{variable} holds a query.", fix="Write it as https://host:port.", field=variable)
    inside = is_loopback(destination.host) or destination.is_named_in(settings.http_allow)
    if destination.scheme == "http" and not inside:
        raise InvalidInput(
            f"{variable}: the key would go to {destination.host} in plain text.",
            fix=f"Use https, or allow it: DIRIGENT_HTTP_ALLOW={destination.host}:{destination.port}.",
            field=variable,
        )
