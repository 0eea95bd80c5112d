"""docs/live.md does what it says: its client runs, and its tables name what there is."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from dirigent import Dirigent
from dirigent.api import telling as sockets
from dirigent.domain.event import CallEnded, ChildEnded, Event, ExecutionStarted, FiringDecided
from dirigent.intake.live.feed import Bounds
from dirigent.intake.live.news import CHANNELS, NAMINGS
from dirigent.interpreter.loading import definition_from
from dirigent.settings import read_settings
from tests.api.sockets import telling
from tests.docs.test_documents import ROOT

TEXT = (ROOT / "docs" / "live.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
BY_WHAT_IT_SAYS: dict[type[Event], tuple[str, ...]] = {
    ExecutionStarted: ("execution.accepted", "execution.started"),
    ChildEnded: ("step.succeeded", "step.failed"),
    CallEnded: ("call.succeeded", "call.failed"),
    FiringDecided: ("trigger.cut", "trigger.failed"),
}


async def test_the_client_follows_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints what it is told, and goes on behind it."""
    names: dict[str, Any] = {}
    for block in PYTHON:
        exec(compile(block, "live.md", "exec"), names)  # noqa: S102
    small = definition_from(
        {"name": "small", "steps": [{"id": "note", "type": "transform", "parameters": {}}]}
    )
    settings = read_settings(environment={}, folder=tmp_path, data_folder=tmp_path / "data")
    async with Dirigent(settings=settings) as dirigent, telling(dirigent) as served:
        first = (await dirigent.run(small)).execution_id
        async with asyncio.timeout(20):
            last = await names["follow"](f"ws://{served.address}", "0")
            second = (await dirigent.run(small)).execution_id
            await names["follow"](f"ws://{served.address}", last)
    printed = [
        f"{what} {execution} {step}"
        for execution in (first, second)
        for what, step in (("execution.started", ""), ("step.succeeded", "note"), ("execution.completed", ""))
    ]
    assert capsys.readouterr().out.splitlines() == printed


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_events_of_a_channel(channel: str) -> None:
    """The table names those there are, and no others."""
    (row,) = re.findall(rf"^\| `{channel}` \| (.+) \|$", TEXT, re.MULTILINE)
    there = {
        name
        for kind, naming in NAMINGS.items()
        if channel in naming.channels
        for name in ((naming.name,) if isinstance(naming.name, str) else BY_WHAT_IT_SAYS[kind])
    }
    assert set(re.findall(r"`([\w.]+)`", row)) == there


def test_the_codes_and_bounds() -> None:
    """Every code that the server itself closes with is explained, and the numbers are those in force."""
    codes = set(map(int, re.findall(r"^\| (\d{4}) \|", TEXT, re.MULTILINE)))
    assert {sockets.SAID_SOMETHING, sockets.FAILED, sockets.STOPS, sockets.TOO_SLOW} <= codes
    bounds = Bounds()
    assert f"{bounds.at_once} sockets, {bounds.of_tenant} of one organization" in TEXT
    assert bounds.waiting == 1_000_000
