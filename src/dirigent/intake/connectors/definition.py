"""A connector as it is written: which file is looked at, how often, and what a changed row becomes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from dirigent.intake.event_mapping import check_expression, check_mapping
from dirigent.intake.written_files import texts_in
from dirigent.interpreter.durations import read_duration, written_duration
from dirigent.interpreter.positions import read_yaml
from dirigent.interpreter.problems import Findings, shown
from dirigent.interpreter.problems import Path as Place
from dirigent.interpreter.template import as_expression
from dirigent.interpreter.written import Written, read_written

SCOPE = ("row",)
EVERY_MS_MIN = 1000
SUFFIXES = (".csv", ".json", ".jsonl")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


class WrittenConnectorFile(Written):
    """The mapping under `connector`."""

    name: str = ""
    tenant: str = Field(default="", max_length=200)
    file: str = Field(default="", max_length=1000)
    every: str | int = Field(default="1m", union_mode="left_to_right")
    id: str = Field(default="", max_length=200)
    changed: str = Field(default="", max_length=200)
    when: str = Field(default="", max_length=10_000)
    event: dict[str, Any] = Field(default={})


@dataclass(frozen=True, kw_only=True)
class ConnectorDefinition:
    """One connector. `id` and `changed` are columns of the file; `event` maps a row to an event.

    Only rows for which the condition `when` holds become events. Without an `id` of its own an event is
    named after its row and the row's last change.
    """

    name: str
    file: Path
    id: str
    changed: str
    every_ms: int = 60_000
    tenant: str = ""
    when: str = ""
    event: Mapping[str, Any] = field(default_factory=dict)


def load_connector(text: str, *, source: str = "<connector>", folder: Path = Path()) -> ConnectorDefinition:
    """Read YAML; raises `InvalidDefinition` with every problem and its position.

    `folder` is where a file is looked for whose path is not absolute.
    """
    findings = Findings(source)
    data = read_yaml(text, findings)
    findings.raise_if_any()
    root: Any = data.get("connector") if isinstance(data, dict) else None
    if not isinstance(root, dict):
        fix = "begin with connector: and write name and file below it"
        findings.add("WF008", (), "there is no connector in it", expected="connector", fix=fix)
        findings.raise_if_any()
    path: Place = ("connector",)
    written = read_written(WrittenConnectorFile, root, path, findings)
    every_ms = read_duration(written.every, (*path, "every"), findings)
    _check(written, every_ms, path, findings)
    findings.raise_if_any()
    return ConnectorDefinition(
        name=written.name,
        file=folder / written.file,
        id=written.id,
        changed=written.changed,
        every_ms=every_ms,
        tenant=written.tenant,
        when=as_expression(written.when),
        event={"source": written.name, "data": "${row}", **written.event},
    )


def load_connectors(folder: Path | None) -> list[ConnectorDefinition]:
    """Every connector of a folder; raises `NotFound` where there is none and `InvalidDefinition`."""
    return [load_connector(text, source=str(file), folder=file.parent) for file, text in texts_in(folder)]


def _check(written: WrittenConnectorFile, every_ms: int, path: Place, findings: Findings) -> None:
    if not _NAME.fullmatch(written.name):
        message = f"name is {shown(written.name)}" if written.name else "name is missing"
        expected = "letters, digits, _ and -"
        findings.add("WF011", (*path, "name"), message, expected=expected, fix="write name: crm")
    if not written.file.endswith(SUFFIXES):
        message = f"file is {shown(written.file)}" if written.file else "file is missing"
        findings.add("WF010", (*path, "file"), message, expected=" or ".join(SUFFIXES), fix="write deals.csv")
    for name in ("id", "changed"):
        if not getattr(written, name):
            fix = f"write {name}: and the column"
            findings.add("WF007", (*path, name), f"{name} is missing", expected="a column", fix=fix)
    if 0 < every_ms < EVERY_MS_MIN:
        least = written_duration(EVERY_MS_MIN)
        message = f"every is {shown(written.every)}"
        findings.add("WF009", (*path, "every"), message, expected=f"{least} or more", fix=f"write {least}")
    if "type" not in written.event:
        message, fix = "the event has no type", "write type: crm.deal_won"
        findings.add("WF007", (*path, "event"), message, expected="event.type", fix=fix)
    if written.when:
        check_expression(as_expression(written.when), SCOPE, (*path, "when"), findings)
    check_mapping(written.event, SCOPE, (*path, "event"), findings)
