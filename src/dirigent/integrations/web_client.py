"""Requests to other systems over HTTP: to the address that was checked, and to no other."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TYPE_CHECKING

from dirigent.domain.agent import Effect
from dirigent.domain.errors import InvalidInput, Refused, TransientError
from dirigent.integrations.reply_body import read_body
from dirigent.ports.web import WebReply, WebRequest
from dirigent.security.admission import current_admission
from dirigent.security.destinations import Destination, destination_of, require_public

if TYPE_CHECKING:
    import httpx2

REPLY_BYTES_MAX = 4 * 1024 * 1024
CONNECT_SECONDS = 10.0
OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "upgrade"})

Resolve = Callable[[str, int], Awaitable[Collection[str]]]


async def resolve(host: str, port: int) -> Collection[str]:
    """The addresses of a host; raises `TransientError` where there are none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise TransientError(f"{host} has no address ({error}).") from error
    return list(dict.fromkeys(str(place[4][0]) for place in found))


class WebClient:
    """The port `Web`. Acts only inside an admitted call that may read outside, or is declared outward.

    `allowed` are hosts (`host` or `host:port`) that may be reached though they are not public; `secrets`
    are what requests may name. The connection goes to the very address that was checked, so that a name
    cannot come to mean another place in between. Compressed answers are not asked for and not read.
    """

    def __init__(
        self,
        *,
        allowed: Collection[str] = (),
        secrets: Mapping[str, str] | None = None,
        resolve: Resolve = resolve,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._allowed = frozenset(allowed)
        self._secrets = dict(secrets or {})
        self._resolve = resolve
        self._transport = transport
        self._client: httpx2.AsyncClient | None = None

    async def send(self, request: WebRequest) -> WebReply:
        """Send one request and read the whole answer."""
        _require_admission(request)
        destination = destination_of(request.url)
        headers = self._headers(request)
        addresses = await self._resolve(destination.host, destination.port)
        require_public(destination, addresses, self._allowed)
        return await self._exchange(request, destination, next(iter(addresses)), headers)

    async def close(self) -> None:
        """Let go of every connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _headers(self, request: WebRequest) -> dict[str, str]:
        headers = {name.lower(): value for name, value in request.headers.items()}
        for name, secret in request.secrets.items():
            if secret not in self._secrets:
                raise InvalidInput(
                    f"There is no secret {secret!r}.", fix=f"Set DIRIGENT_SECRET_{secret}.", field="headers"
                )
            headers[name.lower()] = self._secrets[secret]
        for name in sorted(headers.keys() & OURS):
            raise InvalidInput(f"The header {name!r} is not for the caller to set.", field="headers")
        return headers

    async def _exchange(
        self, request: WebRequest, destination: Destination, address: str, headers: dict[str, str]
    ) -> WebReply:
        import httpx2

        standard = {"http": 80, "https": 443}[destination.scheme] == destination.port
        named = f"[{destination.host}]" if ":" in destination.host else destination.host
        ours = {
            "host": named if standard else f"{named}:{destination.port}",
            "accept-encoding": "identity",
        }
        sent = self._open().build_request(
            request.method,
            httpx2.URL(request.url).copy_with(host=address, fragment=None),
            headers=headers | ours,
            content=request.body,
            extensions={"sni_hostname": destination.host},
        )
        try:
            reply = await self._open().send(sent, stream=True)
            try:
                return await _read(reply)
            finally:
                await reply.aclose()
        except httpx2.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise TransientError(f"{destination.host} does not answer ({reason}).") from error

    def _open(self) -> httpx2.AsyncClient:
        import httpx2

        if self._client is None:
            self._client = httpx2.AsyncClient(
                transport=self._transport,
                trust_env=False,
                follow_redirects=False,
                timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
            )
        return self._client


def _require_admission(request: WebRequest) -> None:
    admission = current_admission()
    reads = admission is not None and admission.action.effect in (Effect.PURE, Effect.READ)
    if admission is None or not (admission.action.outward or reads):
        if admission is not None:
            admission.on_refusal("web", request.method.lower())
        raise Refused("Only an admitted action may reach outside.", rules=("dispatcher.only_way",))
    if admission.held:
        admission.on_refusal("web", request.method.lower())
        raise Refused(f"Nothing may leave: {admission.held}.", rules=("dispatcher.held",))


async def _read(reply: httpx2.Response) -> WebReply:
    body = await read_body(reply, REPLY_BYTES_MAX)
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return WebReply(status=reply.status_code, headers=headers, body=body)
