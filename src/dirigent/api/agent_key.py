"""The outermost door of an agent's server: no key, no answer, and no patience with slow bodies."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dirigent.api.failures import NoSocketsHere, TooSlow
from dirigent.api.problems import fault_of, respond
from dirigent.domain.errors import DirigentError
from dirigent.security.agent_keys import SCHEME, require_key

LIVENESS = "/health"
BODY_SECONDS_MAX = 30.0

log = structlog.get_logger("dirigent.agent")


class AgentKeyOnly:
    """Lets nothing in without a key but the bare question whether the process answers.

    It stands before everything that reads a body. WebSockets are not served at all, with a key neither.
    """

    def __init__(self, app: ASGIApp, keys: Sequence[str], body_seconds: float = BODY_SECONDS_MAX) -> None:
        self._app = app
        self._keys = tuple(keys)
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        else:
            await self._handle(scope, receive, send)

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if not _asks_for_life(scope):
                require_key(Headers(scope=scope), self._keys)
        except DirigentError as error:
            log.warning("agent_key.refused", path=scope["path"], client=(scope.get("client") or ("",))[0])
            fault = dataclasses.replace(fault_of(error), headers={"www-authenticate": SCHEME})
            await respond(fault, scope)(scope, receive, send)
            return
        if scope["type"] == "websocket":
            refusal = NoSocketsHere("The server of an agent has no WebSocket.", fix="Connect to the engine.")
            await respond(fault_of(refusal), scope)(scope, receive, send)
            return
        await self._app(scope, _in_time(receive, self._body_seconds), send)


def _asks_for_life(scope: Scope) -> bool:
    """Whether it is the very route of liveness, without its verbose form."""
    return scope.get("method") == "GET" and scope["path"] == LIVENESS and not scope["query_string"]


def _in_time(receive: Receive, seconds: float) -> Receive:
    """The body within its time; a caller that only waits for the answer may wait."""
    loop = asyncio.get_running_loop()
    until, complete = loop.time() + seconds, False

    async def bounded() -> Message:
        nonlocal complete
        if complete:
            return await receive()
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError as error:
            raise TooSlow(f"The body took longer than {seconds:g} s.", fix="Send it at once.") from error
        complete = not message.get("more_body", False)
        return message

    return bounded
