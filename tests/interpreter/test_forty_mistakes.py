"""One file with forty mistakes: all of them are told in one go, each with line, column, code and fix."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dirigent.domain.errors import InvalidDefinition
from dirigent.interpreter.loading import load_definition
from dirigent.interpreter.problems import Problem

SNAPSHOTS = Path(__file__).parent / "snapshots"
WRITTEN = (SNAPSHOTS / "forty_mistakes.yaml").read_text(encoding="utf-8")
TOLD = SNAPSHOTS / "forty_mistakes.txt"
ACTIONS = {"notifier": {"send_notification", "update_status"}, "revival_engine": {"find_dormant"}}
ZONES = ["America/New_York", "Europe/Berlin", "UTC"]


def problems() -> list[Problem]:
    with pytest.raises(InvalidDefinition) as caught:
        load_definition(WRITTEN, source="campaign.yaml", actions=ACTIONS, timezones=ZONES)
    return list(caught.value.problems)  # type: ignore[arg-type]


def report() -> str:
    """Two lines for each problem, to be read beside the file."""
    return "".join(f"{p.line}:{p.column} {p.code} {p.message}\n    fix: {p.fix}\n" for p in problems())


def test_every_mistake_of_the_file_is_told_in_one_go() -> None:
    """The report is the one kept beside the file, word for word."""
    assert report() == TOLD.read_text(encoding="utf-8")


def test_no_mistake_is_missed_and_none_is_told_twice() -> None:
    """Each numbered line has its finding, in its order, and no other line has one."""
    numbered = [
        (line, int(found[1]))
        for line, text in enumerate(WRITTEN.splitlines(), start=1)
        if (found := re.search(r"# +(\d+) ", text))
    ]
    assert [number for _, number in numbered] == list(range(1, 41))
    assert [problem.line for problem in problems()] == [line for line, _ in numbered]


def test_every_finding_says_what_to_do() -> None:
    """No fix is empty, and thirty-odd kinds of words are not one."""
    found = problems()
    assert all(problem.fix and problem.expected for problem in found)
    assert len({problem.code for problem in found}) >= 20
