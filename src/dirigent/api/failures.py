"""Expected failures that only the HTTP interface knows.

DirigentError
├── MalformedRequest     400  the body is not the JSON we take
├── TenantMismatch       403  the request names two tenants
├── NoSocketsHere        403  an agent's server has none
├── ForeignOrigin        403  a page of another origin wants to change something
├── TooSlow              408  the body did not come in time
├── PayloadTooLarge      413  the body exceeds the limit
├── UnsupportedMedia     415  the body is something else than JSON in UTF-8
├── ForeignHost          421  the request was meant for another host
├── UpgradeRequired      426  the address is for WebSockets
└── ActionEnded          any  a direct call of an agent ended without a result
"""

from __future__ import annotations

from collections.abc import Sequence

from dirigent.domain.errors import DirigentError, InvalidInput


class MalformedRequest(InvalidInput):
    """The body is not JSON as it is taken here."""

    code = "bad_request"
    http_status = 400


class TenantMismatch(DirigentError):
    """The request speaks for one tenant and its body for another."""

    code = "tenant_mismatch"
    http_status = 403


class NoSocketsHere(DirigentError):
    """A server of one agent takes calls of engines; it has no WebSocket."""

    code = "no_sockets_here"
    http_status = 403


class ForeignOrigin(DirigentError):
    """A web page from elsewhere asked for a change."""

    code = "foreign_origin"
    http_status = 403


class TooSlow(DirigentError):
    """The body did not come in time."""

    code = "too_slow"
    http_status = 408


class PayloadTooLarge(InvalidInput):
    """The body is larger than what is taken."""

    code = "payload_too_large"
    http_status = 413


class UnsupportedMedia(InvalidInput):
    """The body's declared type is not taken here."""

    code = "unsupported_media_type"
    http_status = 415


class ForeignHost(DirigentError):
    """The request names a host that this server does not answer for."""

    code = "foreign_host"
    http_status = 421


class UpgradeRequired(DirigentError):
    """The address is for WebSockets, and the request asks for a document."""

    code = "upgrade_required"
    http_status = 426


class ActionEnded(DirigentError):
    """A direct call of an agent ended without a result; its journal is under `execution_id`."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int,
        execution_id: str,
        rules: Sequence[str] = (),
        fix: str = "",
    ) -> None:
        super().__init__(message, fix=fix)
        self.code = code  # type: ignore[misc]
        self.http_status = status  # type: ignore[misc]
        self.execution_id = execution_id
        self.rules = tuple(rules)
