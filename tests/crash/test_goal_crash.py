"""kill -9 of `dirigent goal run` at random moments: one result per goal, no draft and no message twice."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path

from dirigent import Dirigent
from dirigent.domain.event import StepCompleted
from dirigent.intake.goals.report import GoalReport
from tests.acceptance.books import DORMANT, small_books

KILLS = 30
TENANT = "org_123"
COMMAND = [sys.executable, "-c", "from dirigent.cli.main import main; main()"]


class Watcher:
    """Looks at the outbox from outside: a file that was put out twice has another inode or other bytes."""

    def __init__(self, outbox: Path) -> None:
        self._outbox = outbox
        self._seen: dict[str, tuple[int, str]] = {}
        self.changed: list[str] = []

    def look(self) -> int:
        """Compare every message with what was seen before; returns how many there are."""
        for file in self._outbox.glob("*.eml"):
            facts = (file.stat().st_ino, hashlib.sha256(file.read_bytes()).hexdigest())
            if self._seen.setdefault(file.name, facts) != facts:
                self.changed.append(file.name)
        return len(self._seen)


def _goal(number: int) -> dict[str, object]:
    return {
        "goal_type": "REVIVE_PIPELINE",
        "description": f"Reactivate dormant enterprise leads, round {number}",
        "constraints": {
            "autonomy_level": "L2",
            "max_budget": 1000,
            "limit": DORMANT,
            "segment": "enterprise",
        },
        "org_id": TENANT,
    }


async def _pursue(folder: Path, goal: Path, wait_s: float | None) -> bool:
    """Run the command, kill it after a while; True when it came to its end by itself."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "DIRIGENT_ALLOW_DELIVERY": "1",
    }
    arguments = ["goal", "run", str(goal), "--data", str(folder), "--output", "json"]
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, errors = await asyncio.wait_for(process.communicate(), wait_s)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()
        return False
    assert process.returncode == 0, errors.decode()
    return True


async def _kill_often(tmp_path: Path, watcher: Watcher) -> int:
    """Thirty kills over as many goals as come to their end in between; returns how many goals."""
    chance = random.Random(19)
    kills, number = 0, 1
    while True:
        goal = tmp_path / f"goal-{number}.json"
        goal.write_text(json.dumps(_goal(number)))
        last = kills == KILLS
        ended = await _pursue(tmp_path / "data", goal, None if last else chance.uniform(0.4, 1.6))
        watcher.look()
        if last:
            return number
        number += ended
        kills += not ended


async def test_killing_the_command_thirty_times_leaves_one_result_per_goal(tmp_path: Path) -> None:
    """Resuming after every kill ends each goal once, with every message drafted and put out once."""
    folder = tmp_path / "data"
    async with Dirigent(folder) as dirigent:
        small_books(dirigent, TENANT)
    watcher = Watcher(folder / "outbox")
    goals = await _kill_often(tmp_path, watcher)
    async with Dirigent(folder) as dirigent:
        assert not dirigent.engine.verify().damages
        rows = [row for row in dirigent.engine.executions(TENANT) if row.workflow == "goal"]
        reports = [dirigent.report(row.execution_id) for row in rows]
        messages = dirigent.records.fetch(TENANT, "messages")
        sends = _sends(dirigent, reports)
    assert len(rows) == goals
    assert {row.status for row in rows} <= {"completed", "awaiting_approval"}
    assert all(len(report.drafts) == DORMANT for report in reports)
    assert len(messages) == goals * DORMANT
    sent = sum(draft["state"] == "sent" for report in reports for draft in report.drafts)
    assert watcher.look() == sent > 0
    assert not watcher.changed
    assert max(sends.values()) == 1


def _sends(dirigent: Dirigent, reports: list[GoalReport]) -> Counter[str]:
    """How often each message was settled as sent in the journal."""
    return Counter(
        event.output["message_id"]
        for report in reports
        if report.release is not None
        for event in dirigent.engine.events(report.release.execution_id)
        if isinstance(event, StepCompleted) and event.step.startswith("deliver[")
    )
