"""Agents as they go over the wire."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from dirigent.api.goal_models import EnvelopeModel

LINE: dict[str, Any] = {
    "type": "compliance",
    "name": "Compliance Agent",
    "domain": "revenue",
    "description": "Checks messages and data uses against the law's rules.",
    "aliases": ["compliance_wrapper"],
    "status": "online",
    "actions": ["check_message"],
    "transport": "in_process",
    "address": None,
    "schemas": "/api/v1/agents/compliance",
}


class AgentLine(BaseModel):
    """One agent in a list."""

    type: str
    name: str
    domain: str
    description: str
    aliases: list[str]
    status: str
    actions: list[str]
    transport: str
    address: str | None = Field(None, description="Where its server answers; nothing where it runs here.")
    schemas: str = Field(description="Where the schemas of its actions are.")


class AgentList(BaseModel):
    """Every agent there is, by key."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"agents": [LINE], "total": 1}]})

    agents: list[AgentLine]
    total: int


class ActionModel(BaseModel):
    """One action: what it may do, what it takes and what it gives (JSON Schema)."""

    name: str
    description: str
    risk: str
    effect: str
    outward: bool = Field(description="Whether it lets something leave the house.")
    cost: float = Field(description="The most one call may cost, in USD.")
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]


class AgentDetail(BaseModel):
    """One agent with the schemas of its actions."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **{name: LINE[name] for name in ("type", "name", "domain", "description", "aliases")},
                    "status": "online",
                    "transport": "in_process",
                    "address": None,
                    "max_concurrency": 64,
                    "actions": [
                        {
                            "name": "check_message",
                            "description": "Check one message to one lead.",
                            "risk": "R0",
                            "effect": "read",
                            "outward": False,
                            "cost": 0.0,
                            "input_schema": {"type": "object"},
                            "output_schema": {"type": "object"},
                        }
                    ],
                }
            ]
        }
    )

    type: str
    name: str
    domain: str
    description: str
    aliases: list[str]
    status: str
    transport: str
    address: str | None = Field(None, description="Where its server answers; nothing where it runs here.")
    max_concurrency: int
    actions: list[ActionModel]


class ExecuteRequest(BaseModel):
    """One action of one agent, with its inputs."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "action": "check_message",
                    "inputs": {
                        "message": {"channel": "email", "subject": "Your account", "body": "Hello Ann"},
                        "lead": {"email": "ann@example.com", "country": "DE"},
                        "org": {"org_id": "org_123"},
                    },
                    "org_id": "org_123",
                }
            ]
        },
    )

    action: str = Field(min_length=1, max_length=200)
    inputs: dict[str, Any] = Field({}, description="See the agent's schemas.")
    org_id: str | None = Field(None, min_length=1, max_length=200)


class Executed(BaseModel):
    """The result of an action, or what it waits for."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "agent": "compliance",
                    "action": "check_message",
                    "status": "succeeded",
                    "duration_ms": 3,
                    "execution_id": "exec_1",
                    "envelope": {
                        "metadata": {"run_id": "exec_1", "agent": "compliance", "status": "ok"},
                        "records": [
                            {
                                "id": "exec_1/direct/1",
                                "type": "policy_decision",
                                "data": {"allow": True, "violations": [], "fixes": []},
                                "provenance": {"source": "rule_engine", "node": "direct"},
                            }
                        ],
                    },
                },
                {
                    "agent": "delivery",
                    "action": "send",
                    "status": "held",
                    "duration_ms": 0,
                    "execution_id": "exec_2",
                    "approvals": ["apr_0f3c2a9d1b7e"],
                    "reason": "allow_delivery is off",
                },
            ]
        }
    )

    agent: str
    action: str
    status: str = Field(
        description="succeeded, simulated; or awaiting_approval, held, outcome_unknown (202)."
    )
    duration_ms: int
    execution_id: str
    envelope: EnvelopeModel | None = Field(None, description="The result, once there is one.")
    approvals: list[str] = Field([], description="The decisions it waits for.")
    reason: str | None = Field(None, description="Why it waits.")
