"""Who decides about an approval step, as it is written: beside the step's other keys or in its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from dirigent.domain.approval import Deciders
from dirigent.interpreter.problems import Findings, Path, shown
from dirigent.interpreter.written import DECIDERS, Written, read_written

PEOPLE_MAX = 100
EXPIRIES = ("fail", "reject", "approve")


class WrittenDeciders(Written):
    """The keys that say who decides."""

    approvers: list[str] = Field(default=[], min_length=1, max_length=PEOPLE_MAX)
    roles: list[str] = Field(default=[], min_length=1, max_length=PEOPLE_MAX)
    required: int = Field(default=1, ge=1, le=PEOPLE_MAX)
    reject_after: int = Field(default=1, ge=1, le=PEOPLE_MAX)
    not_requester: bool = False
    on_expiry: str = "fail"


def read_deciders(
    beside: Mapping[str, Any], parameters: Mapping[str, Any], path: Path, findings: Findings
) -> Deciders:
    """Who decides; what stands in both places is told."""
    inside = {key: parameters[key] for key in DECIDERS if key in parameters}
    for key in sorted(beside.keys() & inside.keys()):
        message, fix = f"{key} stands beside parameters and in them", "remove it from parameters"
        here = (*path, "parameters", key)
        findings.add("WF015", here, message, expected="one of the two", fix=fix, at_key=True)
        del inside[key]
    said = _read(beside, path, findings) | _read(inside, (*path, "parameters"), findings)
    deciders = Deciders(
        approvers=tuple(said.get("approvers", ())),
        roles=tuple(said.get("roles", ())),
        required=said.get("required", 1),
        reject_after=said.get("reject_after", 1),
        not_requester=said.get("not_requester", False),
        on_expiry=said.get("on_expiry", "fail"),
    )
    many = len(deciders.approvers)
    if many and deciders.required > many:
        here = (*path, "required") if "required" in beside else (*path, "parameters", "required")
        message = f"{deciders.required} have to approve, and {many} may decide"
        findings.add("WF041", here, message, expected=f"at most {many}", fix=f"write required: {many}")
    return deciders


def written_deciders(deciders: Deciders, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that stand beside the parameters, as they would be written."""
    usual = Deciders()
    written = {key: getattr(deciders, key) for key in DECIDERS if key not in parameters}
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in written.items()
        if value != getattr(usual, key)
    }


def _read(data: Mapping[str, Any], path: Path, findings: Findings) -> dict[str, Any]:
    part = read_written(WrittenDeciders, dict(data), path, findings)
    if part.on_expiry not in EXPIRIES:
        near = findings.near(part.on_expiry, EXPIRIES)
        fix = f"did you mean {near}?" if near else "write fail or another of these"
        message = f"on_expiry is {shown(part.on_expiry)}"
        findings.add(
            "WF010", (*path, "on_expiry"), message, expected=f"one of {', '.join(EXPIRIES)}", fix=fix
        )
    return {key: getattr(part, key) for key in part.model_fields_set}
