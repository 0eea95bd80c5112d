"""Connectors: which other systems are asked what has changed, and asking one now."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from dirigent.api.bodies import StrictRoute
from dirigent.api.services import Given
from dirigent.api.tenancy import Asked
from dirigent.domain.canonical import plain
from dirigent.intake.connectors.polling import ConnectorState
from dirigent.interpreter.durations import written_duration

router = APIRouter(prefix="/api/v1/connectors", tags=["connectors"], route_class=StrictRoute)


class ConnectorModel(BaseModel):
    """A connector and how far it came."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "crm",
                    "org_id": "org_123",
                    "file": "connectors/deals.csv",
                    "every": "1m",
                    "event_type": "crm.deal_won",
                    "through": 1772525100000000,
                    "failure": "",
                }
            ]
        }
    )

    name: str
    org_id: str
    file: str
    every: str
    event_type: str
    through: int = Field(description="The mark that has been dealt with: a number, or microseconds.")
    failure: str = Field(description="Why the last poll failed; empty where it did not.")


class ConnectorPage(BaseModel):
    """Connectors by name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"connectors": [], "total": 0}]})

    connectors: list[ConnectorModel]
    total: int


class PollWish(BaseModel):
    """Whether to ask from the beginning."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"again": True}]})

    again: bool = False


class PollAnswer(BaseModel):
    """What became of the rows."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"taken": 2, "known": 0, "passed": 2, "refused": [], "through": 1772525100000000}]
        }
    )

    taken: int = Field(description="Rows that became events.")
    known: int = Field(description="Rows that were events before.")
    passed: int = Field(description="Rows that nobody wants.")
    refused: list[str] = Field(description="Rows that could not become events, and why.")
    through: int


@router.get("", response_model=ConnectorPage)
async def list_connectors(given: Given, asked: Asked) -> dict[str, Any]:
    """The connectors there are."""
    shown = [_told(state) for state in given.connectors.states(asked)]
    return {"connectors": shown, "total": len(shown)}


@router.post("/{connector}/poll", response_model=PollAnswer)
async def poll_connector(
    connector: str, given: Given, asked: Asked, body: PollWish | None = None
) -> dict[str, Any]:
    """Ask another system now what has changed."""
    wish = body or PollWish()
    polled = await given.connectors.poll(connector, tenant=asked or "", again=wish.again)
    told: dict[str, Any] = plain(polled)
    return told


def _told(state: ConnectorState) -> dict[str, Any]:
    definition = state.definition
    return {
        "name": definition.name,
        "org_id": state.tenant,
        "file": str(definition.file),
        "every": written_duration(definition.every_ms),
        "event_type": definition.event["type"],
        "through": state.through,
        "failure": state.failure,
    }
