"""Environment and configuration file, read once into frozen values that say where they come from."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from dirigent.domain.errors import InvalidInput
from dirigent.domain.policy import Autonomy
from dirigent.security.agent_keys import VARIABLE as AGENT_KEY
from dirigent.security.agent_keys import read_keys

OTHERS = 0o007
CONFIG_NAME = "are.config.json"
WEBHOOK_SECRET = re.compile(r"DIRIGENT_WEBHOOK_[A-Z0-9_]+_SECRET")
SECRET = "DIRIGENT_SECRET_"
AGENTS = "DIRIGENT_AGENTS"
AGENT_URL = re.compile(r"[A-Z][A-Z0-9_]*_AGENT_URL")
# Where the agents are expected that the specification gives a server of their own; used once set.
AGENT_ADDRESSES = {
    "social-media-content": ("SOCIAL_MEDIA_AGENT_URL", "http://localhost:8081"),
    "feedback-analyst": ("FEEDBACK_ANALYST_AGENT_URL", "http://localhost:8082"),
    "inventory": ("INVENTORY_AGENT_URL", "http://localhost:8083"),
    "notifier": ("NOTIFIER_AGENT_URL", "http://localhost:8084"),
}
SECRET_WORDS = ("KEY", "SECRET", "TOKEN", "PASSWORD")
CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+(?=@)")
INSTEAD = {
    "DATABASE_URL": "records and journal are SQLite files in the data folder",
    "REDIS_URL": "queues lie in memory or in an SQLite file, and one process serves a data folder",
    "KAFKA_BROKERS": "events leave as files, where DIRIGENT_STREAM names a folder",
}
SHOWN_VARIABLES = (
    *INSTEAD,
    "REKINDLE_BRAIN_URL",
    "CREWAI_SERVICE_URL",
    "REX_SERVICE_URL",
    "SERVICES_URL",
    "OPENAI_API_KEY",
    "DIRIGENT_DATA",
    "DIRIGENT_KEY",
    "DIRIGENT_KEY_FILE",
    "DIRIGENT_CONFIG",
    "DIRIGENT_ACTOR",
    AGENTS,
    "DIRIGENT_POLICIES",
    "DIRIGENT_WORKFLOWS",
    "DIRIGENT_WEBHOOKS",
    "DIRIGENT_CONNECTORS",
    "DIRIGENT_STREAM",
    "DIRIGENT_AGENT_KEY",
    "DIRIGENT_AGENT_KEY_FILE",
    "DIRIGENT_ALLOW_DELIVERY",
    "DIRIGENT_TENANT",
    "DIRIGENT_TENANT_WEIGHTS",
    "DIRIGENT_TENANT_LIMITS",
    "DIRIGENT_HOST",
    "PORT",
    "LOG_LEVEL",
    "MAX_CONCURRENT_WORKFLOWS",
    "MAX_PENDING_WORKFLOWS",
    *(variable for variable, _ in AGENT_ADDRESSES.values()),
)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AnomalyThresholds(_Section):
    """When a drop or a rise is an anomaly (drops absolute on 0 to 1, rise as a factor)."""

    qualityDrop: float = 0.2
    successRateDrop: float = 0.15
    responseTimeIncrease: float = 1.5


class Learning(_Section):
    """How much evidence a learning signal needs, and how long memory is kept."""

    minSamplesForLearning: int = 50
    learningSignalThreshold: float = 0.7
    memoryRetentionDays: int = 90


class Safety(_Section):
    """Switches of the content checks."""

    contentFilteringEnabled: bool = True
    piiDetectionEnabled: bool = True
    rateLimitingEnabled: bool = True


class Config(_Section):
    """The configuration file; every key has a default, an unknown key is an error."""

    enabled: bool = True
    defaultAutonomyLevel: Autonomy = Autonomy.L1
    maxAutonomyPerOrg: dict[str, Autonomy] = Field(default_factory=lambda: {"default": Autonomy.L2})
    anomalyThresholds: AnomalyThresholds = AnomalyThresholds()
    learning: Learning = Learning()
    safety: Safety = Safety()


Weight = Annotated[float, Field(gt=0)]


class TenantLimit(_Section):
    """How many executions of a tenant may be under way at once and how many may wait; None: no own bound."""

    at_once: Annotated[int, Field(ge=1)] | None = None
    pending: Annotated[int, Field(ge=0)] | None = None


def _read_json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


class Settings(BaseModel):
    """Everything the composition root needs to know about its surroundings."""

    model_config = ConfigDict(frozen=True)

    data_folder: Path = Path(".dirigent")
    key: SecretStr | None = None
    tenant: str = "default"
    actor: str = "local"
    agents: tuple[str, ...] = ()
    allow_delivery: bool = False
    policies: Path | None = None
    workflows: Path | None = None
    webhooks: Path | None = None
    connectors: Path | None = None
    stream: Path | None = None
    webhook_secrets: dict[str, tuple[SecretStr, ...]] = {}
    secrets: dict[str, SecretStr] = {}
    http_allow: tuple[str, ...] = ()
    agent_addresses: dict[str, str] = {}
    agent_keys: tuple[SecretStr, ...] = ()
    agent_key_file: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    max_concurrent_workflows: int = Field(default=100, ge=1)
    max_pending_workflows: int = Field(default=10_000, ge=0)
    tenant_weights: Annotated[dict[str, Weight], BeforeValidator(_read_json)] = {}
    tenant_limits: Annotated[dict[str, TenantLimit], BeforeValidator(_read_json)] = {}
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    config: Config = Config()
    config_file: Path | None = None
    environment: dict[str, str] = {}

    def max_autonomy(self, tenant: str) -> Autonomy:
        """The highest level a tenant may run at."""
        maximum = self.config.maxAutonomyPerOrg
        return maximum.get(tenant, maximum.get("default", Autonomy.L2))

    def agent_variable(self, key: str) -> str:
        """The variable that gives the address of an agent's server."""
        own = f"{re.sub('[^A-Z0-9]', '_', key.upper())}_AGENT_URL"
        return AGENT_ADDRESSES.get(key, (own, ""))[0]

    def agent_default(self, key: str) -> str:
        """The address that is documented for an agent's server; empty where there is none."""
        return AGENT_ADDRESSES.get(key, ("", ""))[1]

    def weight(self, tenant: str) -> float:
        """A tenant's share of the turns; everybody's is 1 unless `DIRIGENT_TENANT_WEIGHTS` says otherwise."""
        return self.tenant_weights.get(tenant, self.tenant_weights.get("default", 1.0))

    def limit(self, tenant: str) -> TenantLimit:
        """How much of a tenant may be under way or wait; no bound unless `DIRIGENT_TENANT_LIMITS` has one."""
        return self.tenant_limits.get(tenant, self.tenant_limits.get("default", TenantLimit()))

    def not_used(self) -> list[str]:
        """A sentence for each service that the environment names and that is not used: what is instead."""
        named = [name for name in INSTEAD if self.environment.get(name)]
        return [f"{name} is set and not used: {INSTEAD[name]}." for name in named]

    def shown(self) -> dict[str, Any]:
        """The configuration as it may be shown: secrets masked, every value with its source."""
        config = self.config.model_dump(mode="json")
        return {
            "config": config,
            "env": dict(self.environment),
            "sources": {
                **{key: self._source(key) for key in config},
                **dict.fromkeys(self.environment, "environment"),
                "PORT": "environment" if "PORT" in self.environment else "default",
            },
        }

    def _source(self, key: str) -> str:
        return "file" if self.config_file and key in self.config.model_fields_set else "default"


def read_settings(
    environment: Mapping[str, str] | None = None, folder: Path | None = None, **overrides: Any
) -> Settings:
    """Read the environment and the configuration file; raises `InvalidInput` naming key and expectation.

    `overrides` (from command-line options) win over the environment.
    """
    env = dict(os.environ if environment is None else environment)
    file = _config_file(env, folder or Path.cwd())
    values: dict[str, Any] = {
        "data_folder": env.get("DIRIGENT_DATA"),
        "key": _key(env),
        "tenant": env.get("DIRIGENT_TENANT"),
        "allow_delivery": env.get("DIRIGENT_ALLOW_DELIVERY"),
        "policies": env.get("DIRIGENT_POLICIES"),
        "workflows": env.get("DIRIGENT_WORKFLOWS"),
        "webhooks": env.get("DIRIGENT_WEBHOOKS"),
        "connectors": env.get("DIRIGENT_CONNECTORS"),
        "stream": env.get("DIRIGENT_STREAM"),
        "webhook_secrets": _webhook_secrets(env),
        "secrets": _secrets(env),
        "http_allow": _words(env, "DIRIGENT_HTTP_ALLOW"),
        "agent_addresses": _agent_addresses(env),
        "agent_keys": read_keys(env.get(AGENT_KEY, ""), AGENT_KEY),
        "agent_key_file": _agent_key_file(env),
        "host": env.get("DIRIGENT_HOST"),
        "port": env.get("PORT"),
        "max_concurrent_workflows": env.get("MAX_CONCURRENT_WORKFLOWS"),
        "max_pending_workflows": env.get("MAX_PENDING_WORKFLOWS"),
        "tenant_weights": env.get("DIRIGENT_TENANT_WEIGHTS"),
        "tenant_limits": env.get("DIRIGENT_TENANT_LIMITS"),
        "log_level": env.get("LOG_LEVEL", "").lower() or None,
        "actor": env.get("DIRIGENT_ACTOR") or env.get("USER"),
        "agents": _words(env, AGENTS),
        **{name: value for name, value in overrides.items() if value is not None},
    }
    given = {name: value for name, value in values.items() if value is not None}
    try:
        return Settings(
            **given,
            config=_read_config(file),
            config_file=file,
            environment={name: _masked(name, env[name]) for name in SHOWN_VARIABLES if name in env},
        )
    except ValidationError as error:
        raise _readable(error, "setting") from error


def read_key_file(file: Path, named_by: str) -> str:
    """The key of a data folder in a file; raises `InvalidInput` where there is none or others can read it."""
    try:
        if file.stat().st_mode & OTHERS:
            raise InvalidInput(
                f"{named_by} names {file}, which others can read or write.",
                field=named_by,
                fix=f"Keep it to yourself: chmod 600 {file}",
            )
        key = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InvalidInput(
            f"{named_by} names {file}, which cannot be read ({reason}).",
            field=named_by,
            fix="Make one with `dirigent key new --file PATH`.",
        ) from error
    if not key:
        raise InvalidInput(f"{named_by} names {file}, which is empty.", field=named_by)
    return key


def _key(env: Mapping[str, str]) -> str | None:
    """The key of the data folder, from the environment or from the file that it names."""
    given, file = env.get("DIRIGENT_KEY", "").strip(), env.get("DIRIGENT_KEY_FILE")
    if given and file:
        raise InvalidInput(
            "DIRIGENT_KEY and DIRIGENT_KEY_FILE are both set.", field="DIRIGENT_KEY", fix="Keep one of them."
        )
    return read_key_file(Path(file), "DIRIGENT_KEY_FILE") if file else given or None


def _words(env: Mapping[str, str], name: str) -> list[str] | None:
    """What a variable lists, with spaces or commas between."""
    return env.get(name, "").replace(",", " ").split() or None


def _secrets(env: Mapping[str, str]) -> dict[str, str]:
    """What requests to other systems may put in a header: `DIRIGENT_SECRET_<NAME>`, by its name."""
    return {name.removeprefix(SECRET): value for name, value in env.items() if name.startswith(SECRET)}


def _agent_addresses(env: Mapping[str, str]) -> dict[str, str]:
    """`<AGENT>_AGENT_URL` by variable. Programs of others have such ones too; agents know their own."""
    given = {name: value.strip().rstrip("/") for name, value in env.items() if AGENT_URL.fullmatch(name)}
    return {name: address for name, address in given.items() if address}


def _agent_key_file(env: Mapping[str, str]) -> Path | None:
    """Where the key of this user's own agents lies, for which none is configured."""
    named, state, home = env.get("DIRIGENT_AGENT_KEY_FILE"), env.get("XDG_STATE_HOME"), env.get("HOME")
    if named:
        return Path(named)
    folder = Path(state) if state else Path(home) / ".local" / "state" if home else None
    return folder / "dirigent" / "agent.key" if folder is not None else None


def _webhook_secrets(env: Mapping[str, str]) -> dict[str, list[str]]:
    """`DIRIGENT_WEBHOOK_<NAME>_SECRET`: one secret, or two with a space while one takes the other's place."""
    return {name: env[name].split() for name in env if WEBHOOK_SECRET.fullmatch(name)}


def _config_file(env: Mapping[str, str], folder: Path) -> Path | None:
    named = env.get("DIRIGENT_CONFIG")
    if named:
        if not Path(named).is_file():
            raise InvalidInput(f"DIRIGENT_CONFIG names {named}, which is no file.", field="DIRIGENT_CONFIG")
        return Path(named)
    found = folder / CONFIG_NAME
    return found if found.is_file() else None


def _read_config(file: Path | None) -> Config:
    if file is None:
        return Config()
    try:
        return Config.model_validate(json.loads(file.read_text()))
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{file}:{error.lineno}:{error.colno} is not JSON: {error.msg}.") from error
    except ValidationError as error:
        raise _readable(error, str(file)) from error


def _readable(error: ValidationError, where: str) -> InvalidInput:
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    return InvalidInput(f"{where}: {path}: {first['msg']}.", fix="See `dirigent doctor`.", field=path)


def _masked(name: str, value: str) -> str:
    secret = any(word in name for word in SECRET_WORDS) and not name.endswith("_FILE")
    return "***" if secret else CREDENTIALS.sub("***", value)
