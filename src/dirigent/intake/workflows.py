"""Workflows from files: loaded and checked against the agents there are."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dirigent.domain.errors import InvalidInput, NotFound
from dirigent.domain.workflow import Definition
from dirigent.execution.registry import Registry
from dirigent.intake.time_zones import TIME_ZONES
from dirigent.interpreter.loading import Inspected, definition_from, inspect_definition, load_definition

BUILT_IN = Path(__file__).parent.parent / "workflows"
FILE_MAX_BYTES = 256 * 1024


@dataclass(frozen=True)
class Workflow:
    """A checked workflow definition, ready to run."""

    definition: Definition

    @classmethod
    def parse(
        cls,
        text: str,
        *,
        source: str = "<workflow>",
        actions: Mapping[str, Collection[str]] | None = None,
    ) -> Workflow:
        """Read YAML or JSON; raises `InvalidDefinition` with every problem and its position."""
        return cls(load_definition(text, source=source, actions=actions, timezones=TIME_ZONES))

    @classmethod
    def load(cls, path: str | Path, *, actions: Mapping[str, Collection[str]] | None = None) -> Workflow:
        """Read a file."""
        return cls.parse(read_text(Path(path)), source=str(path), actions=actions)


Written = Workflow | Definition | Mapping[str, Any] | str | Path


def read_workflow(written: Written, actions: Mapping[str, Collection[str]]) -> Definition:
    """The definition of what is loaded, data, a text or a file; a text has several lines, or is JSON.

    What is not loaded yet may only name these actions. Raises `InvalidDefinition`, for a file also what
    `read_text` raises.
    """
    if isinstance(written, Definition):
        return written
    if isinstance(written, Workflow):
        return written.definition
    if isinstance(written, Mapping):
        return definition_from(written, actions=actions, timezones=TIME_ZONES)
    if isinstance(written, str) and ("\n" in written or written.lstrip().startswith("{")):
        return Workflow.parse(written, actions=actions).definition
    return Workflow.load(written, actions=actions).definition


def read_text(file: Path) -> str:
    """The text of a workflow file; raises `NotFound` and, for what is no text or too much, `InvalidInput`."""
    if file.is_dir():
        raise InvalidInput(f"{file} is a folder.", fix="Name a file in it.")
    if not file.is_file():
        stored = "" if file.suffix else " A stored workflow is run with `dirigent workflow run NAME`."
        raise NotFound(f"There is no file {file}.{stored}", code="file_not_found")
    if file.stat().st_size > FILE_MAX_BYTES:
        raise InvalidInput(f"{file} is larger than {FILE_MAX_BYTES // 1024} KB.", fix="Split it.")
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file} is not text in UTF-8.", fix="Save it as UTF-8.") from error


def inspect_written(
    written: str | Mapping[str, Any],
    registry: Registry,
    *,
    source: str = "<workflow>",
    known_agents: bool = True,
) -> Inspected:
    """The definition of a text or of data, checked, with advice; raises `InvalidDefinition`.

    With `known_agents` its steps may name only agents there are.
    """
    return inspect_definition(
        written,
        source=source,
        actions=registry.known_actions() if known_agents else None,
        timezones=TIME_ZONES,
        facts=registry.facts,
    )


def inspect_file(file: Path, registry: Registry) -> Inspected:
    """As `inspect_written`, of what a file holds; raises as `read_text` does, too."""
    return inspect_written(read_text(file), registry, source=str(file))


def built_in(name: str) -> Definition:
    """A workflow that comes with Dirigent; raises `NotFound`."""
    known = built_in_names()
    if name not in known:
        nearest = sorted(known)
        raise NotFound(f"There is no built-in workflow {name!r}.", code="workflow_not_found", nearest=nearest)
    return Workflow.load(BUILT_IN / f"{name}.yaml").definition


@functools.cache
def built_in_names() -> frozenset[str]:
    """The names of the workflows that come with Dirigent."""
    return frozenset(path.stem for path in BUILT_IN.glob("*.yaml"))


def files_of(folder: Path | None) -> list[Path]:
    """The workflow files of a folder, by name; raises `NotFound` where there is no such folder."""
    if folder is None:
        return []
    if not folder.is_dir():
        raise NotFound(f"There is no folder {folder}.", code="file_not_found")
    return sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml", ".json"))
