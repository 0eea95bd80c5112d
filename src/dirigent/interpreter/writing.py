"""From the steps and connections of a definition back to the data they are written in."""

from __future__ import annotations

from typing import Any

from dirigent.domain.workflow import Case, Compensate, Connection, Fallback, Kind, Retry, Step
from dirigent.interpreter.approval_parts import written_deciders
from dirigent.interpreter.durations import written_duration
from dirigent.interpreter.lowering import LOWERED, raised

_USUAL = Step(id="", kind=Kind.TRANSFORM)


def write_step(step: Step) -> dict[str, Any]:
    """The mapping that stands for a step; what is as usual is left out."""
    timed_by_parameters = step.kind is Kind.APPROVAL and "timeout" in step.parameters
    written: dict[str, Any] = {
        "id": step.id,
        "type": step.kind.value,
        "agent_type": step.agent,
        "action": step.action,
        "parameters": step.parameters,
        "conditions": list(step.conditions),
        "when": step.when,
        "foreach": step.foreach,
        "max_parallel": step.max_parallel if step.max_parallel != _USUAL.max_parallel else None,
        "timeout": written_duration(step.timeout_ms) if step.timeout_ms and not timed_by_parameters else None,
        "retry_policy": _write_retry(step.retry) if step.retry != _USUAL.retry else None,
        "join": ("any" if step.join == 1 else step.join) if step.join else None,
        "cancel_rest": step.cancel_rest,
        "on_error": _write_on_error(step),
        "ends_as": step.ends_as if step.ends_as != _USUAL.ends_as else None,
        "fallback": _write_fallback(step.fallback),
        "workflow": step.workflow,
        "duration": written_duration(step.wait_ms) if step.wait_ms else None,
        "event": step.event,
        "filter": step.filter,
        "compensate": _write_compensate(step.compensate) if step.compensate else None,
        "on": step.on,
        "cases": [_write_case(case, by_value=bool(step.on)) for case in step.cases],
        "default": step.default,
        **written_deciders(step.deciders, step.parameters),
    }
    if step.kind in LOWERED:
        written |= dict.fromkeys(("agent_type", "action", "parameters"))
    return {key: value for key, value in (written | _write_block(step)).items() if value} | raised(step)


def write_connection(connection: Connection) -> dict[str, Any]:
    """The mapping that stands for a connection."""
    written = {
        "from": connection.source,
        "to": connection.target,
        "condition": connection.condition,
        "on": connection.on,
    }
    return {key: value for key, value in written.items() if value}


def _write_block(step: Step) -> dict[str, Any]:
    return {
        "while": step.repeat_while,
        "until": step.until,
        "max_iterations": step.max_iterations,
        "steps": [write_step(inner) for inner in step.steps],
        "branches": [[write_step(inner) for inner in branch] for branch in step.branches],
        "connections": [write_connection(connection) for connection in step.connections],
        "output": step.output,
    }


def _write_retry(retry: Retry) -> dict[str, Any]:
    return {
        "max_attempts": retry.max_attempts,
        "initial": written_duration(retry.initial_ms),
        "backoff_factor": retry.backoff_factor,
        "max": written_duration(retry.max_ms),
        "jitter": retry.jitter,
    }


def _write_compensate(compensate: Compensate) -> dict[str, Any]:
    usual = Compensate(agent="", action="")
    written = {
        "agent_type": compensate.agent,
        "action": compensate.action,
        "parameters": compensate.parameters,
        "timeout": written_duration(compensate.timeout_ms) if compensate.timeout_ms else None,
        "retry_policy": _write_retry(compensate.retry) if compensate.retry != usual.retry else None,
    }
    return {key: value for key, value in written.items() if value}


def _write_on_error(step: Step) -> Any:
    if step.fallback_step:
        return {"fallback": step.fallback_step}
    return step.on_error if step.on_error != _USUAL.on_error else None


def _write_fallback(fallback: Fallback | None) -> Any:
    if fallback is None or fallback == Fallback():
        return None if fallback is None else "continue"
    if not fallback.action:
        return {"value": fallback.value}
    written = {"agent_type": fallback.agent, "action": fallback.action}
    return written | ({"parameters": fallback.parameters} if fallback.parameters else {})


def _write_case(case: Case, *, by_value: bool) -> dict[str, Any]:
    return {"value": case.value, "to": case.to} if by_value else {"when": case.when, "to": case.to}
