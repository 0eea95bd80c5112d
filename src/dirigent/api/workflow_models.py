"""Stored workflows as they go over the wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SkipValidation

from dirigent.api.execution_models import EXAMPLE_ID, WorkflowId
from dirigent.api.steering_models import Actor
from dirigent.domain.policy import Autonomy

WORKFLOW_ID = "5c1b0f0e-8a35-4a52-9d1c-0a2f6c1d7b11"
STEPS: Any = [
    {"id": "validate_input", "type": "validation", "parameters": {"required_fields": ["brand_id"]}},
    {
        "id": "generate_content",
        "type": "agent",
        "agent_type": "social-media-content",
        "action": "create_content",
        "timeout": "5m",
    },
]

Note = Annotated[str, Field(max_length=2000, description="Why; kept with the version.")]
Org = Annotated[str | None, Field(max_length=200)]


class WorkflowRequest(BaseModel):
    """A workflow as JSON: its keys at the top level, or in `definition`.

    `definition` is an object, or the text of a YAML file, which is kept as it was written.
    """

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {"name": "Content Creation Workflow", "type": "sequential", "steps": STEPS},
                {"name": "Workflow Name", "description": "What it is for", "definition": {"steps": STEPS}},
            ]
        },
    )

    name: SkipValidation[str | None] = None
    type: SkipValidation[str | None] = Field(None, description="How steps without connections follow.")
    description: SkipValidation[str | None] = None
    triggers: SkipValidation[list[dict[str, Any]] | None] = None
    input: SkipValidation[dict[str, Any] | None] = Field(None, description="A JSON Schema.")
    steps: SkipValidation[list[dict[str, Any]] | None] = None
    connections: SkipValidation[list[dict[str, Any]] | None] = None
    output: SkipValidation[dict[str, Any] | None] = None
    timeout: SkipValidation[str | None] = None
    definition: dict[str, Any] | str | None = None
    known_agents: bool = Field(True, description="False takes steps of agents that are not there yet, too.")
    org_id: Org = None
    tenant_id: Org = Field(None, description="The same as `org_id`.")


class SaveRequest(WorkflowRequest):
    """A workflow to be stored under its name, with why and by whom."""

    note: Note = ""
    actor: Actor = None


class FindingModel(BaseModel):
    """Something found in a definition; `line` and `column` are 0 where it did not come as text."""

    code: str = Field(description="`dirigent explain CODE` says more.")
    path: str
    step: str = Field(description="The id of the step it is in; empty where it is in none.")
    line: int
    column: int
    message: str
    expected: str
    fix: str


WARNING: dict[str, Any] = {
    "code": "WL007",
    "path": "steps[0]",
    "step": "ask",
    "line": 0,
    "column": 0,
    "message": "nobody has to answer it by a time",
    "expected": "timeout and on_expiry",
    "fix": "timeout: 2d",
}


class WorkflowSaved(BaseModel):
    """The workflow is on stable storage and in force."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": WORKFLOW_ID,
                    "name": "Content Creation Workflow",
                    "description": "",
                    "type": "sequential",
                    "version": 1,
                    "status": "active",
                    "warnings": [],
                    "org_id": "org_123",
                    "content_hash": "9f2c4f0f5a0e",
                    "is_new": True,
                }
            ]
        }
    )

    id: str = Field(description="A UUID; wherever one is asked for, the name or the short name does as well.")
    name: str
    description: str
    type: str
    version: int
    status: str = Field(description="active or paused.")
    warnings: list[FindingModel] = Field(description="Advice; it keeps nothing from being stored.")
    org_id: str
    content_hash: str
    is_new: bool = Field(description="False where this very content was a version already.")


class Validated(BaseModel):
    """What there is to say about a definition; nothing was stored."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "valid": True,
                    "name": "Content Creation Workflow",
                    "content_hash": "9f2c4f0f5a0e",
                    "problems": [],
                    "warnings": [WARNING],
                }
            ]
        }
    )

    valid: bool
    name: str | None
    content_hash: str | None
    problems: list[FindingModel]
    warnings: list[FindingModel]


LINE: dict[str, Any] = {
    "id": WORKFLOW_ID,
    "name": "Content Creation Workflow",
    "org_id": "org_123",
    "status": "active",
    "version": 2,
    "versions": 2,
    "content_hash": "9f2c4f0f5a0e",
    "changed_at": "2024-11-26T14:30:00.000Z",
    "changed_by": "ada",
    "note": "asks twice",
}


class WorkflowLine(BaseModel):
    """One stored workflow as it stands, and its last change."""

    model_config = ConfigDict(json_schema_extra={"examples": [LINE]})

    id: str
    name: str
    org_id: str
    status: str = Field(description="active, or paused: then it starts nothing.")
    version: int = Field(description="The one in force.")
    versions: int = Field(description="How many there are.")
    content_hash: str
    changed_at: str
    changed_by: str
    note: str


class WorkflowList(BaseModel):
    """Stored workflows by name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"workflows": [LINE], "total": 1}]})

    workflows: list[WorkflowLine]
    total: int = Field(description="How many there are in all.")


class WorkflowModel(BaseModel):
    """One version of a workflow: what it does, and the text it was written as."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": WORKFLOW_ID,
                    "name": "Content Creation Workflow",
                    "type": "sequential",
                    "description": "",
                    "org_id": "org_123",
                    "status": "active",
                    "in_force": 2,
                    "version": 1,
                    "content_hash": "9f2c4f0f5a0e",
                    "definition": {"name": "Content Creation Workflow", "type": "sequential", "steps": STEPS},
                    "source": "name: Content Creation Workflow\n",
                }
            ]
        }
    )

    id: str
    name: str
    type: str
    description: str
    org_id: str
    status: str
    in_force: int
    version: int = Field(description="The one shown.")
    content_hash: str
    definition: dict[str, Any]
    source: str = Field(description="As it was written, comments included; else as YAML.")


VERSION: dict[str, Any] = {
    "version": 1,
    "in_force": False,
    "content_hash": "9f2c4f0f5a0e",
    "saved_at": "2024-11-26T14:30:00.000Z",
    "saved_by": "ada",
    "note": "as it began",
}


class VersionModel(BaseModel):
    """One version: by whom it was saved, when, and why."""

    model_config = ConfigDict(json_schema_extra={"examples": [VERSION]})

    version: int
    in_force: bool
    content_hash: str
    saved_at: str
    saved_by: str
    note: str


class VersionList(BaseModel):
    """Every version of a workflow, newest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": WORKFLOW_ID, "versions": [VERSION], "total": 1}]}
    )

    id: str
    versions: list[VersionModel]
    total: int = Field(description="How many there are in all.")


class ChangeModel(BaseModel):
    """One change, in the words of the format."""

    kind: str = Field(description="added, removed or changed.")
    path: str
    before: Any
    after: Any


class DifferenceModel(BaseModel):
    """What one version changed in another."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": WORKFLOW_ID,
                    "before": 1,
                    "after": 2,
                    "changes": [
                        {
                            "kind": "changed",
                            "path": "steps.generate_content.timeout",
                            "before": "5m",
                            "after": "10m",
                        }
                    ],
                    "text": "-  timeout: 5m\n+  timeout: 10m\n",
                }
            ]
        }
    )

    id: str
    before: int
    after: int
    changes: list[ChangeModel]
    text: str = Field(description="The same as lines of YAML.")


class ActivateRequest(BaseModel):
    """Why another version is put in force, and by whom."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"note": "too many letters"}]})

    note: Note = ""
    actor: Actor = None


class Execute(BaseModel):
    """What an execution is started with."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"input": {"brand_id": "b-1"}, "trigger_type": "manual"}]},
    )

    input: dict[str, Any] = {}
    trigger_type: Literal["api", "manual", "schedule", "event", "webhook"] = Field(
        "api", description="What started it; kept with the execution."
    )
    autonomy: Autonomy | None = Field(None, description="Clamped to what the organization allows.")
    budget: float | None = Field(None, ge=0, description="In USD; nothing beyond it is spent.")
    version: int | None = Field(None, ge=1, description="Which version; else the one in force.")
    actor: Actor = None
    org_id: Org = None
    tenant_id: Org = Field(None, description="The same as `org_id`.")


class ExecuteRequest(Execute):
    """A stored workflow by `workflow_id`, or in its place a `definition` that is run without being stored."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"workflow_id": WORKFLOW_ID, "input": {"brand_id": "b-1"}}]},
    )

    workflow_id: str | None = Field(None, min_length=1, max_length=200)
    definition: dict[str, Any] | str | None = Field(None, description="An object, or the text of a file.")


class Executing(BaseModel):
    """The execution is on stable storage; it runs in the background."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "execution_id": EXAMPLE_ID,
                    "workflow_id": WORKFLOW_ID,
                    "workflow_version": 1,
                    "org_id": "org_123",
                    "status": "running",
                    "trigger_type": "api",
                }
            ]
        }
    )

    execution_id: str
    workflow_id: WorkflowId
    workflow_version: int | None
    org_id: str
    status: str
    trigger_type: str
