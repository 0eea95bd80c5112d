"""`/ws`: what happens, told while it happens. The socket only tells; whoever says something is let go."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import closing
from difflib import get_close_matches

from fastapi import APIRouter, Response, WebSocket
from starlette.requests import Request

from dirigent.api.failures import UpgradeRequired
from dirigent.api.problems import fault_of, respond
from dirigent.api.services import Services
from dirigent.api.telling import Telling
from dirigent.api.tenancy import TENANT_LENGTH_MAX, one_of, require_execution
from dirigent.domain.errors import InvalidInput
from dirigent.intake.live.feed import Interest
from dirigent.intake.live.news import CHANNELS

PARAMETERS = ("channels", "execution", "last_event_id", "org_id")
DIGITS_MAX = 18

router = APIRouter()


@router.get("/ws", include_in_schema=False)
async def explain_socket(request: Request) -> Response:
    """Say to who asks for a document what the address is for."""
    error = UpgradeRequired(
        "this is a WebSocket address", fix=f"connect with ws://host/ws?channels={','.join(CHANNELS)}"
    )
    upgrade = {"upgrade": "websocket", "connection": "upgrade"}
    return respond(dataclasses.replace(fault_of(error), headers=upgrade), request.scope)


@router.websocket("/ws")
async def follow(socket: WebSocket) -> None:
    """Tell one client; what is wrong with its wishes is said before the socket is open."""
    services: Services = socket.app.state.services
    interest = _interest(socket, services)
    subscription = services.live.subscribe(interest, _last_event_id(socket))
    with closing(subscription):
        await socket.accept()
        await Telling(socket, subscription, services.patience).run()


def _interest(socket: WebSocket, services: Services) -> Interest:
    """Whose events of which channels; without an organization the execution's, else the server's own."""
    for name in socket.query_params:
        _check(name, PARAMETERS, "no parameter", field=name)
    asked = one_of(socket.query_params.get("org_id"), socket.headers.get("x-org-id"))
    if asked is not None and len(asked) > TENANT_LENGTH_MAX:
        raise InvalidInput(f"org_id: at most {TENANT_LENGTH_MAX} characters.", field="org_id")
    execution = socket.query_params.get("execution", "")
    if execution:
        require_execution(services, execution, asked)
        asked = asked or services.engine.row(execution).tenant
    return Interest(asked or services.tenant, _channels(socket), execution)


def _channels(socket: WebSocket) -> frozenset[str]:
    asked = ",".join(socket.query_params.getlist("channels"))
    if not asked and "channels" not in socket.query_params:
        return frozenset(CHANNELS)
    names = [name.strip() for name in asked.split(",")]
    for name in names:
        _check(name, CHANNELS, "no channel", field="channels")
    return frozenset(names)


def _check(name: str, known: Sequence[str], wrong: str, *, field: str) -> None:
    if name not in known:
        near = get_close_matches(name, known, n=1)
        raise InvalidInput(
            f"{name[:TENANT_LENGTH_MAX]!r} is {wrong}; there are {', '.join(known)}.",
            fix=f"Say {near[0]!r}." if near else "Take some of these.",
            field=field,
        )


def _last_event_id(socket: WebSocket) -> int | None:
    said = socket.query_params.get("last_event_id")
    if said is None:
        return None
    if not (said.isascii() and said.isdecimal() and len(said) <= DIGITS_MAX):
        raise InvalidInput(
            f"last_event_id: {said[:TENANT_LENGTH_MAX]!r} is no id of an event.",
            fix="Send the `id` of the last event that came, or 0 for all from the beginning.",
            field="last_event_id",
        )
    return int(said)
