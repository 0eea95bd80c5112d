"""Calls of other engines to the agent that this process serves."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import msgspec
from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from dirigent.api.bodies import BoundedRoute
from dirigent.api.strict_json import read_json
from dirigent.api.tenancy import Asked, joined
from dirigent.domain.errors import InvalidInput
from dirigent.intake.served_calls import ServedCalls
from dirigent.ports.remote import CALL_BYTES_MAX, RemoteAnswer, RemoteCall

JSON = "application/json"
GONE = "http.disconnect"


class CallRoute(BoundedRoute):
    """A route that takes inputs as large as a step may have them."""

    bytes_max: ClassVar[int] = CALL_BYTES_MAX


def calls_router(served: ServedCalls) -> APIRouter:
    """The one address that other engines call."""
    router = APIRouter(tags=["agents"], route_class=CallRoute)

    @router.post("/api/v1/agents/{agent_type}/calls")
    async def take_call(agent_type: str, request: Request, asked: Asked) -> Response:
        """Take one action; whatever came of it is a 200, every other status says that nothing was done."""
        call = _read(await request.body())
        if call.agent != agent_type:
            raise InvalidInput("The address names another agent than the call.", field="agent")
        joined({"tenant_id": call.tenant}, asked)
        answer = await _unless_left(request, served, call)
        return Response(msgspec.json.encode(answer), media_type=JSON)

    return router


def _read(raw: bytes) -> RemoteCall:
    read_json(raw)  # what another parser could read differently is refused
    try:
        return msgspec.json.decode(raw, type=RemoteCall)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"This is no call: {error}.", fix="Run the same version of Dirigent on both sides."
        ) from error


async def _unless_left(request: Request, served: ServedCalls, call: RemoteCall) -> RemoteAnswer:
    """The answer; where the caller goes away before, what has no effect is stopped."""
    work = asyncio.ensure_future(served.take(call))
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientDisconnect
        return await work
    finally:
        for task in (work, gone):
            task.cancel()
        await asyncio.gather(work, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    message: Any = {}
    while message.get("type") != GONE:
        message = await request.receive()
