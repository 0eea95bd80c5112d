"""The published Python entry, as printed in the examples, without an environment variable set."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from are.main import ARESystem
from tests.acceptance.books import small_books

PRINTED_NAMES = ("are", "goal", "result", "status")
EXAMPLES = Path(__file__).parent.parent / "fixtures" / "examples"


@pytest.fixture
def empty_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new folder as the current one, and no variable of ours in the environment."""
    for name in ("DIRIGENT_DATA", "DIRIGENT_CONFIG", "DIRIGENT_ALLOW_DELIVERY", "DIRIGENT_TENANT", "PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def _as_printed(name: str, names: dict[str, Any]) -> dict[str, Any]:
    """Run an example's statements as printed, at the top level of a coroutine."""
    printed = textwrap.indent((EXAMPLES / name).read_text(), "    ")
    source = f"async def printed():\n    global {', '.join(PRINTED_NAMES)}\n{printed}"
    exec(compile(source, name, "exec"), names)  # noqa: S102  # the printed example is what is tested
    await names["printed"]()
    return names


async def test_initialise_as_printed(empty_surroundings: Path) -> None:
    """`ARESystem()` and `initialize()` work as printed, twice, without environment or network."""
    names = await _as_printed("000-01-initialize.py", {})
    are: ARESystem = names["are"]
    await are.initialize()
    try:
        assert (await are.get_system_status())["is_running"] is True
    finally:
        await are.shutdown()


async def test_process_goal_as_printed(empty_surroundings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The quick-start goal runs as printed; with books it selects dormant enterprise leads only."""
    names = await _as_printed("000-01-initialize.py", {})
    are: ARESystem = names["are"]
    try:
        small_books(are._dirigent, "org_123")
        await _as_printed("000-02-goal-quickstart-run.py", names)
    finally:
        await are.shutdown()
    result = names["result"]
    assert capsys.readouterr().out.strip() in (
        "Execution completed: completed",
        "Execution completed: awaiting_approval",
    )
    assert {
        "status",
        "execution_id",
        "plan",
        "outcomes",
        "assessment",
        "signals",
        "budget",
        "approvals",
    } <= set(result)
    leads = {draft["lead_id"] for draft in (record["data"] for record in result["result"]["records"])}
    assert 0 < len(leads) <= 50
    assert set(result["assessment"]["attainment"]) == {"meetings_booked", "reply_rate"}
    assert result["assessment"]["metrics"]["meetings_booked"]["target"] == 5
    assert result["budget"]["spent"] <= 1000
    assert result["autonomy"]["effective"] == "L2"
    assert {record["data"]["state"] for record in result["result"]["records"]} <= {"held", "draft"}
    assert not list(Path(".dirigent/outbox").glob("*.eml"))


async def test_a_goal_without_books_is_blocked(empty_surroundings: Path) -> None:
    """With no records the goal ends blocked with its reason, and no lead is invented."""
    are = ARESystem()
    try:
        result = await are.process_goal(json.loads((EXAMPLES / "000-02-goal-quickstart.json").read_text()))
    finally:
        await are.shutdown()
    assert (result["status"], result["reason"]) == ("blocked", "no_dormant_leads")
    assert result["result"]["records"] == []


async def test_system_status_as_printed(empty_surroundings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The status names its components, each with name, status and detail."""
    names = await _as_printed("000-01-initialize.py", {})
    try:
        await _as_printed("000-03-system-status.py", names)
    finally:
        await names["are"].shutdown()
    status = names["status"]
    assert "ARE Status: True" in capsys.readouterr().out
    assert status["components"]
    for component in status["components"].values():
        assert component["name"]
        assert component["status"] in ("online", "offline", "busy", "error")
        assert "detail" in component
