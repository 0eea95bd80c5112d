"""The goal a person hands in: a file, or a sentence, with what the options add."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dirigent.domain.errors import InvalidInput, NotFound
from dirigent.domain.goal import Goal
from dirigent.intake.goals.acceptance import accept_goal
from dirigent.settings import Settings

FILE_BYTES_MAX = 256 * 1024
SUFFIXES = (".json", ".yaml", ".yml")


def read_goal(
    given: str, *, org: str | None = None, autonomy: str | None = None, budget: float | None = None
) -> dict[str, Any]:
    """The goal as data; raises `InvalidInput` or `NotFound` for a file that cannot be read."""
    goal = _from_file(Path(given)) if _names_file(given) else {"description": given}
    if org is not None:
        goal = {name: value for name, value in goal.items() if name != "tenant_id"} | {"org_id": org}
    constraints = {"autonomy_level": autonomy, "max_budget": budget}
    added = {name: value for name, value in constraints.items() if value is not None}
    return goal | {"constraints": _constraints(goal) | added} if added else goal


def understood(goal: dict[str, Any], settings: Settings) -> Goal:
    """The goal as it will be accepted; raises `InvalidInput` or `GoalNotUnderstood`."""
    return accept_goal(
        goal,
        today=datetime.now(UTC).date(),
        default_tenant=settings.tenant,
        actor=settings.actor,
        default_autonomy=settings.config.defaultAutonomyLevel,
        max_autonomy=settings.max_autonomy,
    )


def read_data(file: Path, what: str) -> dict[str, Any]:
    """A JSON or YAML file that holds named values."""
    data = _parsed(file, _text(file))
    if not isinstance(data, dict):
        raise InvalidInput(f"{file} holds {_kind(data)}.", fix=f"{what} is an object with named values.")
    return data


def _names_file(given: str) -> bool:
    if given.endswith(SUFFIXES):
        return True
    return len(given) < 1000 and " " not in given.strip() and Path(given).is_file()


def _from_file(file: Path) -> dict[str, Any]:
    return read_data(file, "A goal")


def _text(file: Path) -> str:
    if not file.is_file():
        raise NotFound(f"There is no file {file}.", code="file_not_found", nearest=_neighbours(file))
    if file.stat().st_size > FILE_BYTES_MAX:
        raise InvalidInput(f"{file} is larger than {FILE_BYTES_MAX // 1024} KB.", fix="Hand in less.")
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file} is not text in UTF-8.", fix="Save it as UTF-8.") from error


def _parsed(file: Path, text: str) -> Any:
    if file.suffix in (".yaml", ".yml"):
        return _parsed_yaml(file, text)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"{file}:{error.lineno}:{error.colno}"
        raise InvalidInput(f"{place} is not JSON: {error.msg}.", fix="Correct the file there.") from error
    except RecursionError as error:
        raise InvalidInput(f"{file} is nested too deeply.", fix="Write it flatter.") from error


def _parsed_yaml(file: Path, text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        raise InvalidInput(f"{place} is not YAML: {error.problem}.", fix="Correct the file there.") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise InvalidInput(f"{file} is not YAML.", fix="Correct the file.") from error


def _constraints(goal: dict[str, Any]) -> dict[str, Any]:
    found = goal.get("constraints") or {}
    if not isinstance(found, dict):
        raise InvalidInput(f"constraints is {found!r}.", fix="It must be an object.", field="constraints")
    return found


def _neighbours(file: Path) -> list[str]:
    import difflib

    if not file.parent.is_dir():
        return []
    there = [str(other) for other in file.parent.iterdir() if other.suffix in SUFFIXES]
    return difflib.get_close_matches(str(file), there, n=2, cutoff=0.75)


def _kind(data: Any) -> str:
    return "nothing" if data is None else f"a {type(data).__name__}"
