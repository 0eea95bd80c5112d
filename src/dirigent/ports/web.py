"""The port to other systems over HTTP."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import msgspec


class WebRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `secrets` names, by header, what the adapter puts there; the caller never sees it."""

    method: str
    url: str
    headers: dict[str, str] = {}
    secrets: dict[str, str] = {}
    body: bytes | None = None


class WebReply(msgspec.Struct, frozen=True, kw_only=True):
    """One answer, whatever its status. Names of headers are in lower case."""

    status: int
    headers: dict[str, str] = {}
    body: bytes = b""


@runtime_checkable
class Web(Protocol):
    """Sends requests to public addresses, and to such others as the house allows by name."""

    async def send(self, request: WebRequest) -> WebReply:
        """Send one request and read the whole answer; redirects are answers.

        Raises `Refused` for a place that must not be reached, `InvalidInput` for what is no address,
        `TransientError` where no answer comes, and `ActionFailed` for one that is too large.
        """
        ...
