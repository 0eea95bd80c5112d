"""Executions as they go over the wire."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

EXAMPLE_ID = "exec_a1c7f6f4-7a4b-4d2e-a3f0-6a1f1a7c0001"

WorkflowId = Annotated[
    str,
    Field(description="The id of the stored workflow of this name; the name itself where none is stored."),
]


class ErrorFacts(BaseModel):
    """Why something failed."""

    code: str
    message: str
    retryable: bool = False
    rules: list[str] = []


class StepModel(BaseModel):
    """One step, or one item of a `foreach` step."""

    id: str
    status: str
    agent: str | None
    action: str | None
    attempts: int
    duration_ms: int
    output: Any
    error: ErrorFacts | None
    approval: str | None = Field(description="The id of the decision it waits or waited for.")
    child: str | None = Field(description="The execution it started.")
    reason: str | None


class Audit(BaseModel):
    """How much history there is."""

    events: int


class ExecutionModel(BaseModel):
    """One execution with its steps."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "execution_id": EXAMPLE_ID,
                    "org_id": "org_123",
                    "workflow_id": "5c1b0f0e-8a35-4a52-9d1c-0a2f6c1d7b11",
                    "workflow": "Content Creation Workflow",
                    "workflow_version": 1,
                    "definition": "9f2c4f0f5a0e",
                    "status": "completed",
                    "paused": False,
                    "trigger_type": "api",
                    "steps": [
                        {
                            "id": "generate_content",
                            "status": "succeeded",
                            "agent": "social-media-content",
                            "action": "create_content",
                            "attempts": 1,
                            "duration_ms": 9,
                            "output": {"quality_score": 82},
                            "error": None,
                            "approval": None,
                            "child": None,
                            "reason": None,
                        }
                    ],
                    "output": {"quality_score": 82},
                    "error": None,
                    "spent": 0.0,
                    "started_at": "2024-11-26T14:30:00.000Z",
                    "finished_at": "2024-11-26T14:30:00.010Z",
                    "audit": {"events": 9},
                }
            ]
        }
    )

    execution_id: str
    org_id: str
    workflow_id: WorkflowId
    workflow: str
    workflow_version: int | None = Field(
        description="The number of the stored version; null where the definition was not stored under one."
    )
    definition: str = Field(description="The content hash of the definition it stays on.")
    status: str
    paused: bool = Field(description="Whether it is paused, also while its status says that it undoes.")
    trigger_type: str
    steps: list[StepModel]
    output: Any
    error: ErrorFacts | None
    spent: float
    started_at: str
    finished_at: str | None
    audit: Audit


class ExecutionLine(BaseModel):
    """One execution in a list."""

    execution_id: str
    org_id: str
    workflow_id: WorkflowId
    workflow: str
    status: str
    paused: bool = Field(description="Whether it is paused, also while its status says that it undoes.")
    trigger_type: str
    summary: str
    started_at: str
    finished_at: str | None


class ExecutionList(BaseModel):
    """Executions that no other execution started, newest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "executions": [
                        {
                            "execution_id": EXAMPLE_ID,
                            "org_id": "org_123",
                            "workflow_id": "5c1b0f0e-8a35-4a52-9d1c-0a2f6c1d7b11",
                            "workflow": "Content Creation Workflow",
                            "status": "completed",
                            "paused": False,
                            "trigger_type": "api",
                            "summary": "Create content and check it",
                            "started_at": "2024-11-26T14:30:00.000Z",
                            "finished_at": "2024-11-26T14:30:00.010Z",
                        }
                    ],
                    "total": 1,
                }
            ]
        }
    )

    executions: list[ExecutionLine]
    total: int = Field(description="How many are in this answer.")


class EventModel(BaseModel):
    """One transition. `data` holds what belongs to its type."""

    version: int = Field(description="Its place in the execution's history, from 1.")
    type: str
    at: str
    actor: str | None = Field(description="Who caused it, where a person or a caller did.")
    step: str | None
    data: dict[str, Any]


class EventList(BaseModel):
    """Transitions in their order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "execution_id": EXAMPLE_ID,
                    "events": [
                        {
                            "version": 3,
                            "type": "StepCompleted",
                            "at": "2024-11-26T14:30:00.010Z",
                            "actor": None,
                            "step": "generate_content",
                            "data": {"attempt": 1, "output": {"quality_score": 82}},
                        }
                    ],
                    "total": 9,
                }
            ]
        }
    )

    execution_id: str
    events: list[EventModel]
    total: int = Field(description="How many there are in the whole history.")
