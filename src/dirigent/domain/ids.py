"""How things are named: executions, keys of effects, approvals, children."""

from __future__ import annotations

import hashlib
import re
import uuid

GOAL_EXECUTION_PATTERN = re.compile(r"^are_exec_\d{8}_\d{6}_\d{5}$")


def goal_execution_id(stamp: str, number: int) -> str:
    """`are_exec_YYYYMMDD_HHMMSS_NNNNN`; `stamp` is the acceptance time in UTC as `YYYYMMDD_HHMMSS`."""
    assert 0 <= number <= 99_999, "five digits number the goals of one second"
    return f"are_exec_{stamp}_{number:05d}"


def effect_key(tenant: str, execution_id: str, step: str, ordinal: int, action: str) -> str:
    """The idempotency key of one effect.

    It names the logical occurrence and never the attempt, so that a repeated attempt carries the
    same key and a receiver that honours keys acts once.
    """
    parts = "\x1f".join((tenant, execution_id, step, str(ordinal), action))
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def child_execution_id(parent_id: str, step: str) -> str:
    """The id of the execution that a step of another execution starts; the same on every replay."""
    return f"{parent_id}/{step}"


def approval_id(execution_id: str, step: str, number: int) -> str:
    """A short id for one request for a person's decision, unique by its execution, step and number."""
    parts = "\x1f".join((execution_id, step, str(number)))
    return "apr_" + hashlib.sha256(parts.encode()).hexdigest()[:12]


def workflow_stream(tenant: str, name: str) -> str:
    """The stream of everything about one stored workflow of one tenant."""
    return f"workflow:{tenant.replace('%', '%25').replace('/', '%2F')}/{name}"


def workflow_id(tenant: str, name: str) -> str:
    """The id of a stored workflow: a UUID, the same for as long as it keeps its name."""
    return str(_uuid_of("workflow", tenant, name))


def keyed_execution_id(tenant: str, key: str) -> str:
    """The id of the execution that a tenant asks for under a key; asking again gives it again."""
    return f"exec_{_uuid_of('key', tenant, key)}"


def compensation_step(step: str) -> str:
    """The name of what undoes a step."""
    return f"compensate:{step}"


def item_step(step: str, index: int) -> str:
    """The name of one item of a `foreach` step."""
    return f"{step}[{index}]"


def fired_execution_id(tenant: str, trigger: str, cause: str) -> str:
    """The id of the execution that a trigger starts for an event or a time; firing again gives it again."""
    return f"exec_{_uuid_of(tenant, trigger, cause)}"


def defined_step(name: str) -> str:
    """The id in the definition of a step as it runs: `refine[2].draft` is `draft`, `draft[3]` as well.

    What undoes a step keeps its mark: `compensate:draft[3]` is `compensate:draft`.
    """
    mark, colon, rest = name.rpartition(":")
    return mark + colon + rest.rpartition(".")[2].partition("[")[0]


def _uuid_of(*parts: str) -> uuid.UUID:
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return uuid.UUID(bytes=digest[:16], version=5)
