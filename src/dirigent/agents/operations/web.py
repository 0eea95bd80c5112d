"""Asking other systems over HTTP: reading, and writing under a key or at most once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from pydantic import Field

from dirigent.domain.agent import Effect, Risk
from dirigent.domain.errors import ActionFailed, InvalidInput, TransientError
from dirigent.domain.shape import Shape
from dirigent.ports import Context
from dirigent.ports.web import WebReply, WebRequest
from dirigent.security.admission import action, agent

KEY_HEADER = "idempotency-key"
TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
TOLD_HEADERS = ("content-type", "location", "etag", "last-modified", "retry-after", "link", "x-request-id")
REASON_LENGTH = 200

Method = Annotated[str, Field(pattern=r"^[A-Z]{3,10}$")]
Query = Mapping[str, str | int | float | bool]


class Secret(Shape):
    """The value of a header that is not written down: the name under which the house knows it."""

    secret: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,99}$")]


class Reply(Shape):
    """An answer: its status, the headers that matter, and its body (JSON, text, or nothing of bytes)."""

    status: int
    headers: dict[str, str]
    body: Any
    size: int


Headers = Mapping[str, str | Secret]


@agent("http", domain="operations")
class HttpAgent:
    """Sends requests to other systems, guarded against reaching inside the house."""

    @action(risk=Risk.R2, effect=Effect.READ)
    async def read(
        self, url: str, method: Method = "GET", headers: Headers | None = None, query: Query | None = None,
        body: Any = None, *, ctx: Context,
    ) -> Reply:  # fmt: skip
        """Ask for something; repeating it is harmless."""
        return _told(await ctx.web(_request(method, url, headers, query, body)))

    @action(risk=Risk.R3, effect=Effect.KEYED, outward=True)
    async def send(
        self, url: str, method: Method = "POST", headers: Headers | None = None, query: Query | None = None,
        body: Any = None, *, ctx: Context,
    ) -> Reply:  # fmt: skip
        """Change something at a receiver that acts once per `Idempotency-Key`, the same for every attempt."""
        request = _request(method, url, headers, query, body)
        named = {name.lower() for name in (*request.headers, *request.secrets)}
        keyed = request.headers if KEY_HEADER in named else request.headers | {KEY_HEADER: ctx.key}
        return _told(await ctx.web(msgspec.structs.replace(request, headers=keyed)))

    @action(risk=Risk.R3, effect=Effect.AT_MOST_ONCE, outward=True)
    async def send_once(
        self, url: str, method: Method = "POST", headers: Headers | None = None, query: Query | None = None,
        body: Any = None, *, ctx: Context,
    ) -> Reply:  # fmt: skip
        """Change something at a receiver that knows no key; without an answer a person says what happened."""
        return _told(await ctx.web(_request(method, url, headers, query, body)))


def _request(method: str, url: str, headers: Headers | None, query: Query | None, body: Any) -> WebRequest:
    given = headers or {}
    plain = {name: value for name, value in given.items() if isinstance(value, str)}
    secrets = {name: value.secret for name, value in given.items() if isinstance(value, Secret)}
    if any(not name.isascii() or not value.isprintable() for name, value in plain.items()):
        raise InvalidInput("A header holds control characters.", field="headers")
    content = None
    if body is not None:
        content = body.encode() if isinstance(body, str) else msgspec.json.encode(body)
        kind = "text/plain; charset=utf-8" if isinstance(body, str) else "application/json"
        plain = {"content-type": kind, **{name.lower(): value for name, value in plain.items()}}
    return WebRequest(
        method=method, url=_with_query(url, query), headers=plain, secrets=secrets, body=content
    )


def _with_query(url: str, query: Query | None) -> str:
    if not query:
        return url
    written = {
        name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()
    }
    base = url.partition("#")[0]
    return f"{base}{'&' if '?' in base else '?'}{urlencode(written)}"


def _told(reply: WebReply) -> Reply:
    """The answer as data; one that says no is a failure, which another try may mend where it says so."""
    if reply.status >= 400:
        said = " ".join(reply.body[:REASON_LENGTH].decode(errors="replace").split())
        message = f"The answer is {reply.status}: {said}".rstrip(": ")
        raise (TransientError if reply.status in TRY_AGAIN else ActionFailed)(message)
    headers = {name: reply.headers[name] for name in TOLD_HEADERS if name in reply.headers}
    return Reply(status=reply.status, headers=headers, body=_body(reply), size=len(reply.body))


def _body(reply: WebReply) -> Any:
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not reply.body:
        return None
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return json.loads(reply.body)
        except (ValueError, RecursionError) as error:
            raise ActionFailed(f"The answer says it is JSON and is not: {error}.") from error
    if kind.startswith("text/") or kind in ("application/xml", ""):
        return reply.body.decode(errors="replace")
    return None
