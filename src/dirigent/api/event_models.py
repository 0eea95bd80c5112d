"""Events of the business, web hooks and triggers as they go over the wire."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from dirigent.api.execution_models import WorkflowId

EVENT: dict[str, Any] = {
    "type": "campaign.content_requested",
    "source": "crm",
    "subject": "brand/b-1",
    "data": {"brand_id": "b-1", "content_topic": "New Product Launch"},
    "id": "evt-ext-1",
    "time": "2024-11-26T14:30:00Z",
}
EXECUTION = "exec_a1c7f6f4-7a4b-5d2e-a3f0-6a1f1a7c0003"
TRIGGER = "ai_content.event.0f3a9c1b"


class EventRequest(BaseModel):
    """An event in the JSON form of CloudEvents 1.0; further attributes are kept."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [EVENT]})

    type: str = Field(description="What happened, such as order.paid.")
    source: str = Field(description="Where it happened; source and id together name the event.")
    id: str | None = Field(default=None, description="Without one it is a new event each time.")
    subject: str | None = Field(default=None, description="What it is about; such events keep their order.")
    time: str | None = Field(default=None, description="When it happened, RFC 3339.")
    tenant: str | None = Field(default=None, description="Whose it is.")
    data: Any = None


class EventAnswer(BaseModel):
    """An event is on stable storage, and was dealt with unless `matched` is false."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "event_id": "evt-ext-1",
                    "position": 121,
                    "duplicate": False,
                    "triggered": [EXECUTION],
                    "matched": True,
                }
            ]
        }
    )

    event_id: str
    position: int = Field(description="Where it is in the journal.")
    duplicate: bool = Field(description="It was there before, and nothing follows from it.")
    triggered: list[str] = Field(description="The executions it started or woke.")
    matched: bool = Field(description="False where starting takes longer; it is done in the background.")


class EventModel(BaseModel):
    """An event as it was taken in."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "position": 121,
                    "taken_in_at": "2024-11-26T14:30:00.012Z",
                    "event": EVENT | {"specversion": "1.0", "tenant": "org_123"},
                }
            ]
        }
    )

    position: int
    taken_in_at: str
    event: dict[str, Any]


class EventPage(BaseModel):
    """Events by position."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"events": [], "total": 0}]})

    events: list[EventModel]
    total: int


class WebhookAnswer(BaseModel):
    """A call became an event."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"event_id": "evt_9", "type": "order.paid", "position": 122}]}
    )

    event_id: str
    type: str
    position: int
    duplicate: bool = False


class TriggerModel(BaseModel):
    """A trigger at work."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": TRIGGER,
                    "org_id": "org_123",
                    "workflow_id": "5c1b0f0e-8a35-4a52-9d1c-0a2f6c1d7b11",
                    "workflow": "ai_content",
                    "type": "event",
                    "fires_for": "campaign.content_requested",
                    "overlap": "allow",
                    "paused": False,
                    "next": None,
                }
            ]
        }
    )

    id: str
    org_id: str
    workflow_id: WorkflowId
    workflow: str
    type: str
    fires_for: str = Field(description="The type of event, or the time.")
    overlap: str
    paused: bool
    next: str | None = Field(description="When a schedule fires next.")


class TriggerPage(BaseModel):
    """Triggers at work."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"triggers": [], "total": 0}]})

    triggers: list[TriggerModel]
    total: int


class TriggerWish(BaseModel):
    """Who asks, why, and with which input a trigger is fired."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"actor": "ada", "reason": "too loud"}]}
    )

    actor: str = ""
    reason: str = ""
    input: dict[str, Any] | None = None


class TriggerFired(BaseModel):
    """The execution that a trigger started."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": TRIGGER, "execution_id": EXECUTION}]})

    id: str
    execution_id: str


class FiringModel(BaseModel):
    """What became of one firing."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "execution_id": EXECUTION,
                    "trigger": TRIGGER,
                    "workflow_id": "5c1b0f0e-8a35-4a52-9d1c-0a2f6c1d7b11",
                    "workflow": "ai_content",
                    "cause": "evt-ext-1",
                    "decision": "started",
                    "reason": "",
                    "count": 1,
                    "at": "2024-11-26T14:30:00.012Z",
                }
            ]
        }
    )

    execution_id: str
    trigger: str
    workflow_id: WorkflowId
    workflow: str
    cause: str
    decision: str
    reason: str
    count: int
    at: str


class FiringPage(BaseModel):
    """Firings, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"firings": [], "total": 0}]})

    firings: list[FiringModel]
    total: int
