"""The live tree: how far a run is, folded from its events, and what a terminal shows of it."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from dirigent.cli.live import tree_of
from dirigent.cli.progress import RunProgress
from dirigent.domain.event import (
    ApprovalDecided,
    ApprovalRequested,
    ChildEnded,
    Event,
    ExecutionCompleted,
    ExecutionStarted,
    Failure,
    FanOutStarted,
    Passport,
    StepCompleted,
    StepFailed,
    StepSkipped,
    StepStarted,
)
from tests.acceptance.terminal import DORMANT, TENANT, dirigent, write_books, write_goal

COMMAND = "from dirigent.cli.main import main; main()"


def _started(execution_id: str = "x", parent: str = "", step: str = "") -> ExecutionStarted:
    return ExecutionStarted(
        at=1000,
        execution_id=execution_id,
        workflow="w",
        definition="d",
        input={},
        passport=Passport(tenant="t", actor="a", budget=10),
        labels={"summary": "Do it"},
        parent=parent,
        parent_step=step,
    )


def _item(number: int, event: type[Event], **fields: object) -> Event:
    return event(at=3000, step=f"draft[{number}]", **fields)  # type: ignore[call-arg]


RUN: Sequence[tuple[str, Event]] = (
    ("x", _started()),
    ("x", StepStarted(at=1000, step="plan", attempt=1)),
    (
        "x",
        StepCompleted(
            at=1500, step="plan", attempt=1, output={"work": {"steps": [{"id": "draft"}]}}, cost=0.5
        ),
    ),
    ("x", StepSkipped(at=1500, step="ask", reason="when: no")),
    ("x/work", _started("x/work", "x", "work")),
    ("x/work", FanOutStarted(at=2000, step="draft", items=[1, 2, 3])),
    ("x/work", _item(0, StepStarted, attempt=1)),
    ("x/work", _item(0, StepCompleted, attempt=1, cost=0.25)),
    ("x/work", _item(1, StepStarted, attempt=1)),
    ("x/work", _item(1, StepFailed, attempt=1, error=Failure(code="c", message="m"))),
    ("elsewhere", _started("elsewhere")),
)


def _progress(events: Sequence[tuple[str, Event]]) -> RunProgress:
    progress = RunProgress()
    progress.follow("x", ["plan", "ask", "work", "release"])
    for execution_id, event in events:
        progress.apply(execution_id, event)
    return progress


def _drawn(progress: RunProgress) -> str:
    console = Console(width=100, color_system=None, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(tree_of(progress, 12.0, 9000))
    return console.export_text()


def test_the_tree_counts_and_names() -> None:
    """Stages, child steps with their counts, cost against budget, elapsed time; other runs are left out."""
    drawn = _drawn(_progress(RUN))
    assert re.search(r"Do it\s+12 s\s+cost 0.75 of 10.00", drawn)
    assert re.search(r"✓ plan\s+500 ms", drawn)
    assert re.search(r"– ask\s+when: no", drawn)
    assert "● work" in drawn
    assert re.search(r"● draft\s+2/3, 1 failed", drawn)
    assert "· release" in drawn
    assert "elsewhere" not in drawn


def test_events_may_come_twice() -> None:
    """Applying the whole history once more changes nothing."""
    once, twice = _progress(RUN), _progress([*RUN, *RUN])
    assert _drawn(once) == _drawn(twice)
    assert once.cost == twice.cost == 0.75


def test_waiting_for_a_person() -> None:
    """Items that are held count as waiting; when a person lets them go on, they run."""
    asked = ApprovalRequested(
        at=4000, step="draft[2]", attempt=1, approval_id="a", reason="r", kind="hold", expires_at=9
    )
    waiting = [*RUN, ("x/work", asked)]
    assert re.search(r"◷ draft\s+2/3, 1 waiting, 1 failed", _drawn(_progress(waiting)))
    decided = ApprovalDecided(at=5000, step="draft[2]", approval_id="a", decision="approved", actor="me")
    assert re.search(r"● draft\s+2/3, 1 failed", _drawn(_progress([*waiting, ("x/work", decided)])))


def test_the_steps_inside_an_item_are_not_items() -> None:
    """An item is done once, however many steps it has, and waits while one of them waits."""
    inner = [StepCompleted(at=3000, step=f"draft[2].{name}", attempt=1) for name in ("write", "check")]
    inside = [*RUN, *(("x/work", event) for event in inner)]
    assert re.search(r"● draft\s+2/3, 1 failed", _drawn(_progress(inside)))
    asked = ApprovalRequested(
        at=4000, step="draft[2].agree", attempt=1, approval_id="a", reason="r", kind="hold", expires_at=9
    )
    asked_inside = [*inside, ("x/work", asked)]
    assert re.search(r"◷ draft\s+2/3, 1 waiting, 1 failed", _drawn(_progress(asked_inside)))
    ended = [*asked_inside, ("x/work", StepCompleted(at=6000, step="draft[2]", attempt=1))]
    assert re.search(r"draft\s+3/3, 1 failed", _drawn(_progress(ended)))


def test_a_second_try() -> None:
    """A step that failed and is tried again is running, and succeeds."""
    tries: list[tuple[str, Event]] = [
        ("x", _started()),
        ("x", StepStarted(at=1000, step="plan", attempt=1)),
        ("x", StepFailed(at=1100, step="plan", attempt=1, error=Failure(code="c", message="lost"))),
    ]
    assert "✗ plan" in _drawn(_progress(tries))
    tries.append(("x", StepStarted(at=2000, step="plan", attempt=2)))
    assert "● plan" in _drawn(_progress(tries))
    tries.append(("x", StepCompleted(at=3000, step="plan", attempt=2)))
    assert re.search(r"✓ plan\s+2.0 s", _drawn(_progress(tries)))


def test_the_end_of_children() -> None:
    """What a child came to is what became of the step that started it."""
    ended: list[tuple[str, Event]] = [
        *RUN,
        ("x/work", ExecutionCompleted(at=6000, status="completed")),
        ("x", ChildEnded(at=6000, step="work", child="x/work", status="failed")),
    ]
    assert "✗ work" in _drawn(_progress(ended))


def test_what_an_action_says_of_itself() -> None:
    """Progress that an action tells is shown beside its step while it runs."""
    progress = _progress([RUN[0], RUN[1]])
    progress.tell("x", "plan", 3, 7, "templates")
    progress.tell("nowhere", "plan", 1, 1, "")
    assert "3/7 templates" in _drawn(progress)


def test_on_a_terminal(tmp_path: Path) -> None:
    """On a terminal the tree moves, stays as it was at the end, and the report follows it."""
    dirigent("import", write_books(tmp_path / "books"), "--org", TENANT, data=tmp_path / "data")
    goal = write_goal(tmp_path)
    master, slave = pty.openpty()
    arguments = ["goal", "run", str(goal), "--data", str(tmp_path / "data")]
    environment = {**os.environ, "COLUMNS": "110", "LINES": "50", "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments], stdout=slave, stderr=slave, env=environment
    )
    os.close(slave)
    seen = _read_all(master)
    assert process.wait() == 0
    frames = seen.count("\x1b[2K")
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)
    assert frames > 20
    assert "✓ work" in shown
    assert f"{DORMANT}/{DORMANT}" in shown
    assert f"{DORMANT} waiting" in shown
    assert shown.index("Where to look next") > shown.rindex("◷ deliver")
    assert "Traceback" not in shown


def _read_all(terminal: int) -> str:
    chunks = []
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(terminal)
    return b"".join(chunks).decode(errors="replace")
