"""Events of the business: hand one in, look at those there are."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response
from pydantic import PlainValidator
from pydantic_core import PydanticCustomError

from dirigent.api.bodies import StrictRoute
from dirigent.api.event_models import EventAnswer, EventPage, EventRequest
from dirigent.api.failures import TenantMismatch
from dirigent.api.listing import Limit
from dirigent.api.services import Given
from dirigent.api.tenancy import Asked
from dirigent.domain.canonical import plain
from dirigent.intake.events.reading import read_event
from dirigent.intake.events.telling import event_told

PATIENCE_S = 5.0

router = APIRouter(prefix="/api/v1/events", tags=["events"], route_class=StrictRoute)


def _an_object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise PydanticCustomError("object", "An event is an object with the attributes of CloudEvents")
    return value


# Intake reads the attributes itself, since it names what is wrong with each; the model says what they are.
EventBody = Annotated[
    Mapping[str, Any], PlainValidator(_an_object, json_schema_input_type=EventRequest), Body()
]


@router.post("", status_code=202, response_model=EventAnswer)
async def publish_event(body: EventBody, given: Given, asked: Asked, response: Response) -> dict[str, Any]:
    """Take in an event; it starts what is triggered by it and wakes what waits for it.

    The same event again is answered with 200 and `duplicate`; another one of its name is a conflict.
    """
    tenant = body.get("tenant")
    if asked is not None and tenant not in (None, asked):
        raise TenantMismatch(
            f"The request speaks for {asked!r} and the event for {tenant!r}.", field="tenant"
        )
    event = read_event(body, tenant=asked or given.tenant, new_id=f"evt_{uuid.uuid4().hex}")
    reaction = await given.triggers.publish(event, patience_s=PATIENCE_S)
    if reaction.duplicate:
        response.status_code = 200
    answer: dict[str, Any] = plain(reaction)
    return answer


@router.get("", response_model=EventPage)
async def list_domain_events(
    given: Given,
    asked: Asked,
    type: Annotated[str, Query(description="Only of this type; `order.*` for all below a name.")] = "",
    after: Annotated[int | None, Query(ge=0, description="From this position on, oldest first.")] = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """Events as they were taken in: the newest, or those after a position."""
    found = given.event_index.events(asked, type=type, after=after or 0, limit=limit, newest=after is None)
    return {"events": [event_told(recorded) for recorded in found], "total": len(found)}
