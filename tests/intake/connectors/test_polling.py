"""Another system is asked what has changed: every change is an event once, whatever comes between."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dirigent import Dirigent
from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.errors import InvalidDefinition, InvalidInput, NotFound, TransientError
from dirigent.domain.event import ConnectorAdvanced, EventPublished
from dirigent.intake.connectors.definition import load_connector, load_connectors
from dirigent.intake.workflows import Workflow
from dirigent.integrations.changes_file import ChangesFile
from dirigent.settings import read_settings
from dirigent.testing.frozen_clock import FrozenClock

SHIPPED = Path(__file__).parents[3] / "examples" / "connectors"
CRM = """\
connector:
  name: crm
  file: deals.csv
  every: 1m
  id: deal
  changed: updated
  when: row.stage == "won"
  event:
    type: crm.deal_won
    subject: deal/${row.deal}
    data: {deal: "${row.deal}", value: "${double(row.value)}"}
"""
WON = """\
workflow:
  name: won
  triggers: [{type: event, event_type: crm.deal_won}]
  steps: [{id: note, type: transform, parameters: {deal: "${input.deal}"}}]
"""
HEAD = "deal,stage,value,updated\n"
ROWS = "d1,won,100,2026-01-01T10:00:00Z\nd2,open,50,2026-01-01T11:00:00Z\nd3,won,70,2026-01-01T12:00:00Z\n"


class Desk:
    """A folder with the file of a CRM, and a Dirigent that looks at it."""

    def __init__(self, folder: Path, clock: FrozenClock) -> None:
        self.file = folder / "connectors" / "deals.csv"
        self.clock = clock
        self.dirigent: Dirigent

    def write(self, rows: str) -> None:
        self.file.write_text(HEAD + rows)

    async def later(self) -> None:
        """Let a minute pass."""
        self.clock.move(60_000)
        await self.dirigent.connectors.rest()

    def events(self) -> list[DomainEvent]:
        """What was taken in, oldest first."""
        found = self.dirigent.event_index.events()
        return [one.event.event for one in found if isinstance(one.event, EventPublished)]

    def told(self) -> list[str]:
        """The subjects of what was taken in."""
        return [event.subject for event in self.events()]


@asynccontextmanager
async def desk(folder: Path, *, rows: str | None = ROWS, connector: str = CRM) -> AsyncIterator[Desk]:
    (folder / "connectors").mkdir(exist_ok=True)
    (folder / "connectors" / "crm.yaml").write_text(connector)
    at = Desk(folder, FrozenClock())
    if rows is not None:
        at.write(rows)
    environment = {"DIRIGENT_CONNECTORS": str(folder / "connectors")}
    settings = read_settings(environment=environment, folder=folder, data_folder=folder / "data")
    async with Dirigent(settings=settings, workflows=[Workflow.parse(WON)], clock=at.clock) as dirigent:
        at.dirigent = dirigent
        await dirigent.connectors.start()
        await dirigent.connectors.rest()
        yield at


async def test_a_poll_yields_events(tmp_path: Path) -> None:
    """Each deal that was won is one event, in the order of the changes, and starts what it triggers."""
    async with desk(tmp_path) as at:
        first, second = at.events()
        assert (first.type, first.source, first.id) == ("crm.deal_won", "crm", "d1@2026-01-01T10:00:00Z")
        assert (first.subject, first.data) == ("deal/d1", {"deal": "d1", "value": 100.0})
        assert second.subject == "deal/d3"
        readings = [
            await at.dirigent.engine.rest(row.execution_id) for row in at.dirigent.engine.executions()
        ]
        assert sorted(reading.output["deal"] for reading in readings) == ["d1", "d3"]


async def test_nothing_comes_twice(tmp_path: Path) -> None:
    """Not by another poll, not from a file that was only written anew, not after a restart."""
    async with desk(tmp_path) as at:
        await at.later()
        at.write(ROWS)
        await at.later()
        assert at.told() == ["deal/d1", "deal/d3"]
    async with desk(tmp_path) as at:
        await at.later()
        assert at.told() == ["deal/d1", "deal/d3"]
        stream = at.dirigent.journal.read("connectors/default/crm")
        assert [type(event) for event in stream] == [ConnectorAdvanced]


async def test_what_changes_later_comes_later(tmp_path: Path) -> None:
    """New rows and changed ones; also one that bears the very time of the last."""
    async with desk(tmp_path) as at:
        late = ROWS.replace("d2,open,50,2026-01-01T11", "d2,won,55,2026-01-02T11")
        at.write(late + "d4,won,1,2026-01-01T12:00:00Z\n")
        await at.later()
        assert at.told() == ["deal/d1", "deal/d3", "deal/d4", "deal/d2"]
        assert at.events()[-1].data == {"deal": "d2", "value": 55.0}


async def test_a_crash_between_events_and_note_tells_nothing_twice(tmp_path: Path) -> None:
    """Asked from the beginning again, everything is known."""
    async with desk(tmp_path) as at:
        polled = await at.dirigent.connectors.poll("crm", again=True)
        assert (polled.taken, polled.known, polled.passed, polled.refused) == (0, 2, 1, ())
        assert len(at.told()) == 2


async def test_a_row_that_does_not_fit_holds_nobody_up(tmp_path: Path) -> None:
    """It is told with its name and why; mended, it comes when all is asked for again."""
    broken = ROWS + "d5,won,much,2026-01-03T10:00:00Z\n,won,1,2026-01-03T10:00:00Z\nd6,won,1,soon\n"
    async with desk(tmp_path, rows=broken) as at:
        assert at.told() == ["deal/d1", "deal/d3"]
        (noted,) = at.dirigent.journal.read("connectors/default/crm")
        assert isinstance(noted, ConnectorAdvanced)
        assert (noted.taken, noted.refused) == (2, 3)
        polled = await at.dirigent.connectors.poll("crm", again=True)
        assert [one.partition(":")[0] for one in polled.refused] == ["row 5", "row 6", "d5"]
        at.write(ROWS + "d5,won,9,2026-01-03T10:00:00Z\n")
        assert (await at.dirigent.connectors.poll("crm", again=True)).taken == 1
        assert at.told()[-1] == "deal/d5"


async def test_a_row_changed_without_a_new_time_is_refused(tmp_path: Path) -> None:
    """What was said stays said: the same row under the same time with other content is told, not taken."""
    async with desk(tmp_path) as at:
        at.write(ROWS.replace("d3,won,70", "d3,won,71"))
        polled = await at.dirigent.connectors.poll("crm")
        assert (polled.taken, len(polled.refused)) == (0, 1)
        assert "another event 'd3@2026-01-01T12:00:00Z'" in polled.refused[0]


async def test_an_event_may_have_a_name_of_its_own(tmp_path: Path) -> None:
    """Then a deal is won once, however often its row changes afterwards."""
    once = CRM.replace("type: crm.deal_won", "type: crm.deal_won\n    id: won/${row.deal}")
    async with desk(tmp_path, connector=once) as at:
        at.write(ROWS.replace("d1,won,100,2026-01-01", "d1,won,120,2026-01-05"))
        await at.later()
        assert [event.id for event in at.events()] == ["won/d1", "won/d3"]


async def test_a_file_that_is_not_there_is_looked_for_again(tmp_path: Path) -> None:
    """The failure is told; when the file comes, so do its events."""
    async with desk(tmp_path, rows=None) as at:
        (state,) = at.dirigent.connectors.states()
        assert "cannot be read" in state.failure
        with pytest.raises(TransientError):
            await at.dirigent.connectors.poll("crm")
        at.write(ROWS)
        await at.later()
        (state,) = at.dirigent.connectors.states()
        assert (state.failure, len(at.told())) == ("", 2)


async def test_many_rows(tmp_path: Path) -> None:
    """More than a page, in their order."""
    rows = "".join(f"d{number},won,1,{number}\n" for number in range(1, 1202))
    async with desk(tmp_path, rows=rows) as at:
        assert at.dirigent.connectors.states()[0].through == 1201
        newest = at.dirigent.event_index.events(newest=True, limit=1)[0]
        assert isinstance(newest.event, EventPublished)
        assert newest.event.event.subject == "deal/d1201"
        for row in at.dirigent.engine.executions(limit=2000):
            await at.dirigent.engine.rest(row.execution_id)


async def test_an_unknown_connector(tmp_path: Path) -> None:
    """It is told by its name."""
    async with desk(tmp_path) as at:
        with pytest.raises(NotFound, match="'shop'"):
            await at.dirigent.connectors.poll("shop")
        with pytest.raises(NotFound):
            await at.dirigent.connectors.poll("crm", tenant="other")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("deals.json", json.dumps),
        ("deals.jsonl", lambda rows: "\n".join(json.dumps(row) for row in rows) + "\n\n"),
        ("deals.csv", lambda rows: "\ufeffid,at\n" + "\n".join(f"{row['id']},{row['at']}" for row in rows)),
    ],
)
def test_tables(tmp_path: Path, name: str, written: Callable[[Any], str]) -> None:
    """CSV, a JSON list and a JSON object a line; times with an offset, without one, and whole numbers."""
    rows = [{"id": 2, "at": "2026-01-01T10:00:00+01:00"}, {"id": "1", "at": "2026-01-01T08:00:00"}]
    (tmp_path / name).write_text(written(rows))
    source = ChangesFile(tmp_path / name, id="id", changed="at")
    found = source.changed(0).changes
    assert [change.id for change in found] == ["1", "2"]
    assert found[1].mark - found[0].mark == 3_600_000_000
    assert source.changed(found[1].mark).changes == ()
    assert [change.id for change in source.changed(found[0].mark).changes] == ["1", "2"]
    (tmp_path / name).write_text(written([{"id": "1", "at": 7}, {"id": "3", "at": 9}]))
    assert [change.mark for change in source.changed(8).changes] == [9]
    assert [change.mark for change in source.changed(8).changes] == [9]


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.json", b"{}"), ("a.json", b"["), ("a.jsonl", b"{}\n{"), ("a.csv", b'id,at\n"a'), ("a.csv", b"\xff")],
)
def test_what_is_no_table_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    """With the file and why."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match="is not a table"):
        ChangesFile(tmp_path / name, id="id", changed="at").changed(0)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("connector:", "webhook:", "WF008"),
        ("name: crm", "name: a b", "WF011"),
        ("file: deals.csv", "file: deals.xlsx", "WF010"),
        ("  file: deals.csv\n", "", "WF010"),
        ("every: 1m", "every: often", "WF013"),
        ("every: 1m", "every: 10ms", "WF009"),
        ("  id: deal\n", "", "WF007"),
        ("  changed: updated\n", "", "WF007"),
        ("row.stage ==", "event.stage ==", "WF032"),
        ("row.stage ==", "row.stage =", "WF018"),
        ("    type: crm.deal_won\n", "", "WF007"),
        ("subject:", "topic:", "WF006"),
        ("${double(row.value)}", "${double(row.value}", "WF018"),
        ("every:", "ever:", "WF006"),
    ],
)
def test_a_mistake_is_told_with_its_place(old: str, new: str, code: str) -> None:
    """Every one has a line and a fix."""
    assert old in CRM
    with pytest.raises(InvalidDefinition) as caught:
        load_connector(CRM.replace(old, new), source="crm.yaml")
    problem: Any = caught.value.problems[0]
    assert (problem.code, problem.file) == (code, "crm.yaml")
    assert problem.line
    assert problem.fix


def test_the_shipped_connector_loads() -> None:
    """Its file lies beside it and is a table."""
    (crm,) = load_connectors(SHIPPED)
    found = ChangesFile(crm.file, id=crm.id, changed=crm.changed).changed(0)
    assert found.changes
    assert not found.unreadable
