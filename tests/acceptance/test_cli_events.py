"""`dirigent event`, `trigger` and `schedule`: here and over a server, for people and for programs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from dirigent import Dirigent, Effect, Risk, action, agent
from dirigent.domain.errors import ActionFailed
from dirigent.testing.frozen_clock import FrozenClock
from tests.acceptance.terminal import Said, dirigent

SHIPPED = Path(__file__).parents[2] / "examples" / "connectors"
REPORT = "examples/workflows/daily_report.yaml"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a stored workflow that has a schedule and an event trigger."""
    assert dirigent("workflow", "save", REPORT, data=tmp_path).code == 0
    return tmp_path


def test_publishing_starts_what_is_triggered(data: Path) -> None:
    """The answer says where the event is and what it started; again, it is a duplicate."""
    words = ("event", "publish", "--type", "report.requested", "--id", "e1", "-i", "day=monday")
    said = dirigent(*words, data=data)
    assert said.code == 0
    assert "It started or woke exec_" in said.out
    (row,) = dirigent("ls", "-o", "json", data=data).data
    assert (row["workflow"], row["status"], row["trigger"]) == ("daily_report", "completed", "event")
    again = dirigent(*words, "-o", "json", data=data).data
    assert (again["duplicate"], again["triggered"]) == (True, [])
    changed = dirigent(*words[:-1], "day=tuesday", data=data)
    assert changed.code == 1
    assert "another event 'e1'" in changed.err


def test_publishing_does_not_wait_for_what_takes_long(tmp_path: Path) -> None:
    """What the event wakes then waits for a month: that is shown, and the command line is free again."""
    file = tmp_path / "patience.yaml"
    file.write_text(
        "name: patience\nsteps:\n"
        "  - {id: order, type: wait_for_event, event: ordered}\n"
        "  - {id: patience, type: wait, duration: 30d}\n"
    )
    begun = dirigent("run", file, "-o", "json", data=tmp_path).data["execution_id"]
    said = dirigent("event", "publish", "--type", "ordered", data=tmp_path)
    assert (said.code, begun in said.out) == (0, True)
    shown = dirigent("show", begun, "-o", "json", data=tmp_path).data["steps"]
    waits = {step["id"]: (step["status"], step["reason"][:6]) for step in shown}
    assert waits["patience"] == ("waiting", "until ")
    assert f"dirigent resume {begun}" in dirigent("show", begun, data=tmp_path).out


def test_an_event_from_a_file(data: Path, tmp_path: Path) -> None:
    """A file has the attributes of CloudEvents; options win over it."""
    file = tmp_path / "event.json"
    file.write_text(json.dumps({"type": "a.b", "source": "shop", "data": [1]}))
    assert dirigent("event", "publish", file, "--subject", "order/1", data=data).code == 0
    (event,) = dirigent("event", "list", "--type", "a.*", "-o", "json", data=data).data
    assert event["event"]["subject"] == "order/1"
    assert (event["event"]["source"], event["event"]["data"]) == ("shop", [1])
    assert "order/1" in dirigent("event", "list", data=data).out
    assert "Nothing is triggered by it." in dirigent("event", "publish", file, "--id", "2", data=data).out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("event", "publish"), "An event has a type"),
        (("event", "publish", "--type", "two words"), "type is 'two words'"),
        (("event", "replay", "--since", "yesterday"), "'yesterday' is no moment"),
        (("trigger", "fire", "none"), "There is no trigger 'none'"),
        (("schedule", "next"), "Which schedule?"),
        (("schedule", "next", "--cron", "9 25 * * *"), "is not a schedule"),
        (("schedule", "next", "--cron", "0 9 * * *", "--timezone", "Mars"), "no time zone 'Mars'"),
    ],
)
def test_mistakes_are_told(data: Path, words: tuple[str, ...], told: str) -> None:
    """What is wrong and what to do, with the exit code of wrong input."""
    said = dirigent(*words, data=data)
    assert said.code == 2
    assert told in said.err
    assert "fix:" in said.err


def test_triggers_are_listed_fired_and_paused(data: Path) -> None:
    """What is at work with its next time; paused it stays away; fired by hand it starts."""
    found = {one["type"]: one for one in dirigent("trigger", "list", "-o", "json", data=data).data}
    assert set(found) == {"schedule", "event"}
    assert found["schedule"]["next"] > "2026"
    assert "0 9 * * mon-fri" in dirigent("trigger", "list", data=data).out
    trigger = found["event"]["id"]
    assert "is paused" in dirigent("trigger", "pause", trigger, "--reason", "loud", data=data).out
    states = {one["id"]: one["paused"] for one in dirigent("trigger", "list", "-o", "json", data=data).data}
    assert states == {trigger: True, found["schedule"]["id"]: False}
    published = dirigent("event", "publish", "--type", "report.requested", "-i", "day=x", data=data)
    assert "Nothing is triggered" in published.out
    assert "is at work" in dirigent("trigger", "resume", trigger, data=data).out
    assert "started exec_" in dirigent("trigger", "fire", trigger, "-i", "day=y", data=data).out
    rows = dirigent("trigger", "firings", trigger, "-o", "json", data=data).data
    assert [row["decision"] for row in rows] == ["started", "paused"]
    assert "the trigger is paused" in dirigent("trigger", "firings", data=data).out


def test_nothing_yet(tmp_path: Path) -> None:
    """An empty folder is told as such, with what to do."""
    assert "No trigger is at work" in dirigent("trigger", "list", data=tmp_path).out
    assert dirigent("event", "list", data=tmp_path).code == 2


def test_the_next_times(data: Path) -> None:
    """Local and UTC, with what is unusual about a time."""
    words = ("--cron", "30 2 * * *", "--timezone", "Europe/Berlin", "--since", "2026-10-24T12:00")
    (found,) = dirigent("schedule", "next", *words, "--count", "3", "-o", "json", data=data).data
    assert [one["utc"] for one in found["next"]] == [
        "2026-10-25T00:30Z",
        "2026-10-26T01:30Z",
        "2026-10-27T01:30Z",
    ]
    spring = dirigent("schedule", "next", *words[:-1], "2026-03-28T12:00", "--count", "1", data=data)
    assert "the clock goes forward to 03:00" in spring.out
    both = (
        "--cron",
        "30 * * * *",
        "--timezone",
        "Europe/Berlin",
        "--since",
        "2026-10-25T02:00",
        "--count",
        "2",
    )
    assert "the second 02:30 of the day" in dirigent("schedule", "next", *both, data=data).out
    assert "0 9 * * mon-fri in Europe/London" in dirigent("schedule", "next", REPORT, data=data).out
    assert (
        "No schedule is in it" in dirigent("schedule", "next", "examples/workflows/hello.yaml", data=data).out
    )


def test_history_is_replayed_without_effect(data: Path) -> None:
    """The count of events, and in the shadow what triggers would start; nothing new runs."""
    dirigent("event", "publish", "--type", "report.requested", "--id", "e1", "-i", "day=monday", data=data)
    before = dirigent("ls", "-o", "json", data=data).data
    said = dirigent("event", "replay", "--shadow", data=data)
    assert "The projections were folded anew." in said.out
    assert "daily_report" in said.out
    told = dirigent("event", "replay", "--shadow", "--since", "2020-01-01", "-o", "json", data=data).data
    assert told["domain_events"] == 1
    assert [one["started"] for one in told["foreseen"]] == [True]
    assert dirigent("ls", "-o", "json", data=data).data == before


def test_a_connector_is_asked(data: Path) -> None:
    """What is new is told, what is known is not taken again, and the list says what came last."""
    assert "There are no connectors" in dirigent("connector", "list", data=data).out

    def asked(*words: str) -> Said:
        return dirigent("connector", *words, data=data, DIRIGENT_CONNECTORS=str(SHIPPED))

    (before,) = asked("list", "-o", "json").data
    assert (before["connector"], before["every"], before["last_news_at"]) == ("crm", "1m", None)
    assert "2 new, 0 known before, 2 not wanted." in asked("poll", "crm").out
    again = asked("poll", "crm", "--again", "-o", "json").data
    assert (again["taken"], again["known"]) == (0, 2)
    (after,) = asked("list", "-o", "json").data
    assert (after["taken"], after["refused"]) == (2, 0)
    assert "crm.deal_won" in asked("list").out
    told = dirigent("event", "list", "--type", "crm.*", "-o", "json", data=data).data
    assert {one["event"]["subject"] for one in told} == {"deal/D-1001", "deal/D-1003"}
    unknown = asked("poll", "shop")
    assert (unknown.code, "fix:" in unknown.err) == (2, True)


@agent("shelf", domain="test")
class Shelf:
    """Breaks at every event."""

    @action(risk=Risk.R0, effect=Effect.PURE, handles=("shelf.*",))
    async def take(self, event: dict[str, Any]) -> None:
        """Fail."""
        raise ActionFailed("The shelf is broken.")


async def _break_a_shelf(data: Path) -> int:
    async with Dirigent(data, agents=[Shelf], clock=(clock := FrozenClock())) as dirigent:
        reaction = await dirigent.publish({"type": "shelf.moved", "source": "test", "id": "e1"})
        consumer = dirigent.reactions.event_loop.kafka_consumer
        waiting = asyncio.ensure_future(consumer.caught_up(reaction.position))
        while not waiting.done():
            await asyncio.sleep(0.001)
            clock.move(500)
        return reaction.position


def test_how_events_stand(tmp_path: Path) -> None:
    """What comes in, how far everybody came, and what was given up with its reason."""
    position = asyncio.run(_break_a_shelf(tmp_path))
    shown = dirigent("event", "status", "-o", "json", data=tmp_path).data
    assert (shown["newest"], shown["last_minute"]) == (position, 0)
    followers = {one["name"]: one for one in shown["followers"]}
    assert {name: one["lag"] for name, one in followers.items()} == {"agents": 0, "triggers": 0}
    assert followers["triggers"]["dead"] == []
    (letter,) = followers["agents"]["dead"]
    assert (letter["position"], letter["event_id"], letter["attempts"]) == (position, "e1", 3)
    assert "The shelf is broken." in letter["error"]
    said = dirigent("event", "status", data=tmp_path)
    assert f"agents gave up e1 at {position}" in said.err
    assert dirigent("event", "publish", "--type", "a.b", data=tmp_path).code == 0
    again = dirigent("event", "status", "-o", "json", data=tmp_path).data
    assert again["last_minute"] == 1
    lags = {one["name"]: one["lag"] for one in again["followers"]}
    assert lags["triggers"] == 0
    assert lags["agents"] in (0, 1), "publishing waits for triggers, not for agents"
