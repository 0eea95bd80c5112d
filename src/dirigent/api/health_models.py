"""Health and configuration as they go over the wire."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Alive(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "healthy"}]})

    status: str


class Health(BaseModel):
    """The whole system and each of its components: `online`, or its state and why."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "healthy",
                    "version": "0.1.0",
                    "uptime_s": 12.4,
                    "components": {
                        "planner": "online",
                        "database": "online",
                        "brain": "degraded: deterministic provider",
                    },
                }
            ]
        }
    )

    status: str
    version: str
    uptime_s: float
    components: dict[str, str]


class ConfigView(BaseModel):
    """The configuration in force, secrets masked, and where each value comes from."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "config": {"enabled": True, "defaultAutonomyLevel": "L1"},
                    "env": {"OPENAI_API_KEY": "***"},
                    "sources": {"enabled": "file", "PORT": "default"},
                    "agents": {
                        "inventory": {
                            "variable": "INVENTORY_AGENT_URL",
                            "default": "http://localhost:8083",
                            "address": None,
                        }
                    },
                }
            ]
        }
    )

    config: dict[str, Any]
    env: dict[str, str]
    sources: dict[str, str]
    agents: dict[str, dict[str, str | None]] = Field(
        {}, description="By agent: which variable gives its server's address, and the one in use, if any."
    )
