"""Web hooks: signed calls from outside. The body is believed, and read, only once its signature holds."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from dirigent.api.bodies import BoundedRoute
from dirigent.api.event_models import WebhookAnswer
from dirigent.api.services import Given, Services
from dirigent.api.strict_json import read_json
from dirigent.domain.canonical import plain

router = APIRouter(prefix="/api/v1/webhooks", tags=["webhooks"], route_class=BoundedRoute)


@router.post("/{name}", status_code=202, response_model=WebhookAnswer)
async def call_webhook(name: str, request: Request, response: Response, given: Given) -> dict[str, Any]:
    """A call for the organization that the server works for. Signed as the web hook's definition says.

    A signature that does not hold is `signature_invalid`, one that is not of now `replay`; a call that does
    not fit its mapping is `mapping_failed` and kept for repair. The same call again changes nothing.
    """
    return await _called(given, request, response, name, "")


@router.post("/{tenant}/{name}", status_code=202, response_model=WebhookAnswer)
async def call_webhook_of(
    tenant: str, name: str, request: Request, response: Response, given: Given
) -> dict[str, Any]:
    """As above, for one organization."""
    return await _called(given, request, response, name, tenant)


async def _called(
    given: Services, request: Request, response: Response, name: str, tenant: str
) -> dict[str, Any]:
    raw = await request.body()
    call = given.webhooks.admit(name, request.headers, raw, tenant=tenant)
    received = await given.webhooks.take(call, read_json(raw))
    if received.duplicate:
        response.status_code = 200
    answer: dict[str, Any] = plain(received)
    return answer
