"""The outermost layer: request ids, foreign pages kept out, and no error without its form."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dirigent.api.failures import ForeignHost, ForeignOrigin
from dirigent.api.problems import INTERNAL, REQUEST_ID, fault_of, respond
from dirigent.domain.errors import DirigentError

HEADER = "x-request-id"
ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
READING_METHODS = ("GET", "HEAD", "OPTIONS")
BEGINNINGS = ("http.response.start", "websocket.accept", "websocket.http.response.start")
RESPONSE_HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-store"}

log = structlog.get_logger("dirigent.api")


class RequestIds:
    """Gives every request an id (the caller's, if it is a plain one) and every crash a problem."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request_id = scope[REQUEST_ID] = _request_id(scope)
        begun = False

        async def send_named(message: Message) -> None:
            nonlocal begun
            if message["type"] in BEGINNINGS:
                begun = True
                message.setdefault("headers", [])
                MutableHeaders(scope=message).update({HEADER: request_id, **RESPONSE_HEADERS})
            await send(message)

        try:
            await self._app(scope, receive, send_named)
        except ClientDisconnect:
            log.info("request.left", request_id=request_id, path=scope["path"])
        except Exception:  # whatever broke, the caller gets the one form and the log the rest
            log.exception("request.failed", request_id=request_id, path=scope["path"])
            if begun:
                raise
            await respond(INTERNAL, scope)(scope, receive, send_named)


class OwnPagesOnly:
    """Refuses what a web page from elsewhere sends through the user's browser.

    A request under a host name that is not ours may come from a page whose name was pointed at this
    machine; a change asked for by a page of another origin was not asked for by the user. A page may open a
    socket to anywhere and read what it says, so that is only for our own.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "lifespan":
            refusal = self._refusal(scope)
            if refusal is not None:
                await respond(fault_of(refusal), scope)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> DirigentError | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._hosts and _address(f"//{host}").hostname not in self._hosts:
            known = ", ".join(sorted(self._hosts))
            return ForeignHost(f"This server does not answer for {host!r}.", fix=f"Call it as {known}.")
        if not origin or _address(origin).netloc == host:
            return None
        if scope["type"] == "websocket":
            return ForeignOrigin(
                f"A page of {origin} may not listen here.", fix="Connect from a page of this server."
            )
        if scope["method"] not in READING_METHODS:
            return ForeignOrigin(
                f"A page of {origin} may not change anything here.", fix="Send it from a page of this server."
            )
        return None


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(HEADER, "")
    return given if ACCEPTABLE_ID.fullmatch(given) else uuid.uuid4().hex


def _address(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:
        return urlsplit("")
