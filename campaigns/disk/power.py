"""Power cuts under the real journal: whatever was acknowledged is there, whatever is there verifies.

A session opens the journal over a folder, appends to it and closes it, while every write and sync goes on a
tape. Then the power is cut, on paper, between any two operations of the tape, and what the disk may have
kept is opened by the journal as it is shipped. One of these folders is where the next session begins, so that
recovery is cut as well.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from campaigns.disk.tape import Disk, Image, Tape
from campaigns.disk.taping import taped_journal, taping
from campaigns.scratch import scratch
from campaigns.verdict import Verdict, as_control
from dirigent.domain.errors import DirigentError
from dirigent.domain.event import Event, StepCompleted
from dirigent.storage.sqlite.journal import SqliteJournal, verify_folder
from dirigent.storage.sqlite.writer import Durable, Writer

CUTS = 20_000
CONTROL_CUTS = 600
CUTS_PER_SESSION = 120
SESSIONS_IN_A_ROW = 5
APPENDS = (3, 14)
STREAMS = 6
GOES_ON_EVERY = 10
VIOLATIONS_MAX = 20

Said = tuple[str, Event]


@dataclass
class Session:
    """What was asked of the journal in one session: what it began with, its tape, all that was handed in."""

    image: Image
    known: list[Said]
    tape: Tape = field(default_factory=Tape)
    handed_in: list[Said] = field(default_factory=list)


@dataclass
class Tally:
    """What came of the cuts."""

    cuts: int = 0
    acknowledged: int = 0
    unacknowledged_kept: int = 0
    cut_while_opening: int = 0
    violations: list[str] = field(default_factory=list)


async def record(session: Session, folder: Path, chance: random.Random, writer: type[Writer]) -> None:
    """Open the journal over what the session begins with, append, close, with everything on the tape."""
    lay_out(session.image, folder)
    with taping(session.tape):
        journal = taped_journal(session.tape, writer).open(folder)
        numbers = iter(range(chance.randint(*APPENDS)))

        async def lane() -> None:
            for number in numbers:
                await _append(journal, session, chance, number)

        await asyncio.gather(*(lane() for _ in range(chance.choice((1, 1, 4)))))
        await journal.close()
    disk = Disk(session.image)
    for operation in session.tape.operations:
        disk.take(operation)
    there = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert disk.now() == there, "the tape tells another story than the folder"


async def _append(journal: SqliteJournal, session: Session, chance: random.Random, number: int) -> None:
    stream = f"run-{chance.randrange(STREAMS)}"
    events = [_event(chance, number) for _ in range(chance.choice((1, 1, 2, 5)))]
    durable = journal.append(stream, journal.head(stream), events)
    session.handed_in += [(stream, event) for event in events]
    await durable
    for _ in events:
        session.tape.acknowledge()


def _event(chance: random.Random, number: int) -> Event:
    size = chance.choice((0, 20, 300, 300, 300, 2_000, 9_000))
    return StepCompleted(at=chance.randrange(1 << 40), step=f"s{number}", attempt=1, output="x" * size)


def lay_out(image: Image, folder: Path) -> None:
    """Write an image as the files of a folder, and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in image.items():
        (folder / name).write_bytes(content)


class PowerCampaign:
    """Sessions and cuts, by seed; what is wrong is said with the seed, the session and the cut."""

    def __init__(self, folder: Path, seed: int, *, writer: type[Writer] = Writer) -> None:
        self.tally = Tally()
        self._folder = folder
        self._seed = seed
        self._writer = writer

    async def run(self, cuts: int) -> None:
        """Cut until there are so many cuts, or enough is wrong."""
        number = 0
        session = Session({}, [])
        while self.tally.cuts < cuts and len(self.tally.violations) < VIOLATIONS_MAX:
            chance = random.Random(f"{self._seed}/{number}")
            await record(session, self._folder / "session", chance, self._writer)
            wanted = min(CUTS_PER_SESSION, cuts - self.tally.cuts)
            left = await self._cut(session, wanted, chance, f"session {number}")
            number += 1
            session = Session({}, []) if number % SESSIONS_IN_A_ROW == 0 else left

    async def _cut(self, session: Session, cuts: int, chance: random.Random, name: str) -> Session:
        """Cut at so many places; returns the session that goes on from one of them."""
        operations = session.tape.operations
        places = sorted(chance.randrange(len(operations) + 1) for _ in range(cuts))
        goes_on = chance.randrange(cuts)
        disk, done, acknowledged = Disk(session.image), 0, len(session.known)
        next_session = Session({}, [])
        for number, place in enumerate(places):
            for operation in operations[done:place]:
                disk.take(operation)
                acknowledged += operation.kind == "acknowledged"
            done = place
            image = disk.after_cut(chance)
            found = await self._look(session, image, acknowledged, f"{name}, cut at operation {place}")
            if number == goes_on and found is not None:
                next_session = Session(image, found)
        return next_session

    async def _look(self, session: Session, image: Image, acknowledged: int, where: str) -> list[Said] | None:
        """Open what is left and compare it with what was said; None where it is not what it should be."""
        tally = self.tally
        tally.cuts += 1
        tally.acknowledged += acknowledged
        tally.cut_while_opening += acknowledged == len(session.known)
        folder = self._folder / "cut"
        lay_out(image, folder)
        expected = session.known + session.handed_in
        try:
            found = await _contents(folder, goes_on=tally.cuts % GOES_ON_EVERY == 0)
        except DirigentError as error:
            tally.violations.append(f"S1 {where}: {acknowledged} events were acknowledged, and now: {error}")
            return None
        if len(found) < acknowledged:
            lost = acknowledged - len(found)
            tally.violations.append(f"S1 {where}: {lost} of {acknowledged} acknowledged events are gone")
            return None
        if found != expected[: len(found)]:
            tally.violations.append(f"S3 {where}: there is something else than what was handed in")
            return None
        tally.unacknowledged_kept += len(found) - acknowledged
        return found


async def _contents(folder: Path, *, goes_on: bool) -> list[Said]:
    """Everything in a journal, read and verified; now and then it is also verified whole and appended to."""
    journal = SqliteJournal.open(folder)
    try:
        found = [(recorded.stream, recorded.event) for recorded in journal.tail(0, 1_000_000)]
        if goes_on:
            verified = verify_folder(folder)
            assert not verified.damages, f"it opens, and does not verify: {verified.damages}"
            await journal.append("afterwards", 0, [StepCompleted(at=1, step="s", attempt=1)])
            assert len(journal.read("afterwards")) == 1, "it does not go on"
    finally:
        await journal.close()
    return found


class ForgetfulWriter(Writer):
    """A fault for a control: commits without waiting for the disk, as `synchronous=NORMAL` does."""

    def __init__(self, path: Path, connection: Any, *rest: Any) -> None:
        connection.pragma("synchronous", "normal")
        super().__init__(path, connection, *rest)


class HastyWriter(Writer):
    """A fault for a control: says that a batch is durable before it was even begun."""

    def add(self, *values: Any) -> Durable:
        super().add(*values).add_done_callback(lambda _: None)
        hasty = Durable(loop=asyncio.get_running_loop())
        hasty.set_result(None)
        return hasty


def campaign(cuts: int, seed: int, writer: type[Writer] = Writer) -> Verdict:
    """So many cuts from one seed."""
    with scratch() as folder:
        power, began = PowerCampaign(folder, seed, writer=writer), time.monotonic()
        asyncio.run(power.run(cuts))
        took = time.monotonic() - began
    tally = power.tally
    kept = tally.unacknowledged_kept
    reached = (
        ("cuts before the first append", tally.cut_while_opening),
        ("events kept that nobody had been told of", kept),
    )
    return Verdict(
        campaign="B1 power cuts",
        trials=tally.cuts,
        unit="cuts",
        counts={"acknowledged events looked for": tally.acknowledged},
        details=(f"{tally.cuts / took:,.0f} cuts a second, {tally.cut_while_opening:,} of them in recovery",),
        violations=tally.violations,
        void=[f"no {what}" for what, times in reached if not times],
        repeat=f"python -m campaigns power --cuts {cuts} --seed {seed}",
    )


def run(cuts: int, seed: int) -> Iterator[Verdict]:
    """The campaign and its controls."""
    controls = (
        (ForgetfulWriter, "synchronous=NORMAL"),
        (HastyWriter, "acknowledging before the commit"),
    )
    yield campaign(cuts, seed)
    for writer, what in controls:
        yield as_control(campaign(CONTROL_CUTS, seed, writer), what)
