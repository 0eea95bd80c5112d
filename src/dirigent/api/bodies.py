"""Request bodies: bounded in size, declared as JSON, strictly read, before any router sees them."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from email.message import Message as Headers
from typing import Any, ClassVar

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message, Receive

from dirigent.api.failures import MalformedRequest, PayloadTooLarge, UnsupportedMedia
from dirigent.api.strict_json import read_json

BODY_MAX_BYTES = 1024 * 1024
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")


class StrictRoute(APIRoute):
    """A route whose body is at most 1 MB of strict JSON in UTF-8, or empty."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Check the body, then do what a route does."""
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            bounded = Request(request.scope, _bounded(request))
            raw = await bounded.body()
            if raw:
                _check_declared(request)
                read_json(raw)
            return await handle(bounded)

        return checked


class DefinitionRoute(StrictRoute):
    """A route that takes a definition as strict JSON, or as the text of a YAML file: the same as its
    `definition` in JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Put a text where JSON has it, then do what a strict route does."""
        handle = super().get_route_handler()

        async def read(request: Request) -> Response:
            return await handle(await _as_json(request) if _is_yaml(request) else request)

        return read


class BoundedRoute(APIRoute):
    """A route whose body is at most 1 MB of anything, or `bytes_max` of it; its router reads it."""

    bytes_max: ClassVar[int] = BODY_MAX_BYTES

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Bound the body, then do what a route does."""
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            return await handle(Request(request.scope, _bounded(request, self.bytes_max)))

        return bounded


def _bounded(request: Request, bytes_max: int = BODY_MAX_BYTES) -> Receive:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > bytes_max:
        raise _too_large(bytes_max)
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > bytes_max:
            raise _too_large(bytes_max)
        return message

    return receive


def _is_yaml(request: Request) -> bool:
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return declared in YAML_TYPES


async def _as_json(request: Request) -> Request:
    raw = await Request(request.scope, _bounded(request)).body()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedRequest(f"Byte {error.start} of the body is not UTF-8.", fix="Send UTF-8.") from error
    content = json.dumps({"definition": text}).encode()
    replaced = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(content)))
    names = [name for name, _ in replaced]
    headers = [pair for pair in request.scope["headers"] if pair[0].lower() not in names]

    async def receive() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    return Request({**request.scope, "headers": [*headers, *replaced]}, receive)


def _check_declared(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "identity")
    declared = Headers()
    declared["content-type"] = request.headers.get("content-type", "text/plain")
    subtype = declared.get_content_subtype()
    is_json = declared.get_content_maintype() == "application" and (
        subtype == "json" or subtype.endswith("+json")
    )
    charset = declared.get_content_charset("utf-8")
    if not is_json or charset not in ("utf-8", "utf8", "us-ascii") or encoding != "identity":
        raise UnsupportedMedia(
            f"The body is declared as {request.headers.get('content-type') or 'nothing'!r}.",
            fix="Send it uncompressed with `Content-Type: application/json`.",
        )


def _too_large(bytes_max: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {bytes_max // 1024} KB.", fix="Send less at a time.")
