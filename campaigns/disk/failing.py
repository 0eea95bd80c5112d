"""A disk that fails at the n-th write, sync or truncation, for every n until nothing fails any more.

After the first failure nothing may be acknowledged, whether the disk has recovered or not; reading goes on;
and when the journal is opened anew everything that was acknowledged is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import apsw

from campaigns.disk.specimen import Specimen, grow
from campaigns.scratch import scratch
from campaigns.verdict import Verdict, as_control
from dirigent.domain.errors import StorageFailure
from dirigent.domain.event import Event, StepCompleted
from dirigent.storage.sqlite.anchor import AnchorFile
from dirigent.storage.sqlite.journal import SqliteJournal, verify_folder
from dirigent.storage.sqlite.writer import Batch, Writer

CHECKPOINT_PAGES = 10
SPECIMEN_EVENTS = 24
APPENDS = 24
LANES = 3
KINDS = ("write", "sync", "truncate")
CONTROL_EVERY = 5

FAULTS: dict[str, type[apsw.Error]] = {"EIO": apsw.IOError, "ENOSPC": apsw.FullError}


@dataclass
class Plan:
    """What fails: the operation of a kind with a number, and from then on or only once."""

    kind: str
    number: int
    fault: str
    stays: bool
    seen: int = 0

    @property
    def reached(self) -> bool:
        """Whether there were so many operations at all."""
        return self.seen >= self.number

    def meets(self, kind: str) -> bool:
        """Count an operation; whether it has to fail."""
        if kind != self.kind:
            return False
        self.seen += 1
        return self.seen == self.number or (self.stays and self.seen > self.number)

    def __str__(self) -> str:
        return f"{self.fault} at {self.kind} {self.number}{' and after' if self.stays else ''}"


def failing_journal(plan: Plan, writer: type[Writer]) -> type[SqliteJournal]:
    """The real journal with its anchor on the same failing disk, and checkpoints often enough to fail."""

    class FailingAnchor(AnchorFile):
        def _put(self, content: bytes, offset: int) -> None:
            if plan.meets("write"):
                raise OSError(getattr(errno, plan.fault), "planted")
            super()._put(content, offset)

        def sync(self) -> None:
            if plan.meets("sync"):
                raise OSError(getattr(errno, plan.fault), "planted")
            super().sync()

    class OftenWriter(writer):  # type: ignore[misc, valid-type]
        checkpoint_pages = CHECKPOINT_PAGES

    class FailingJournal(SqliteJournal):
        anchors = FailingAnchor
        writers = OftenWriter

    return FailingJournal


@contextmanager
def failing(plan: Plan) -> Iterator[None]:
    """Connections opened inside fail as planned."""
    vfs = _FailingVFS(plan)
    try:
        yield
    finally:
        vfs.unregister()


class _FailingVFS(apsw.VFS):
    def __init__(self, plan: Plan) -> None:
        super().__init__("failing", "unix", makedefault=True)
        self._plan = plan

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _FailingFile(self._plan, name, flags)


class _FailingFile(apsw.VFSFile):
    def __init__(self, plan: Plan, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._plan = plan

    def xWrite(self, data: bytes, offset: int) -> None:
        self._meet("write")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        self._meet("sync")
        super().xSync(flags)

    def xTruncate(self, newsize: int) -> None:
        self._meet("truncate")
        super().xTruncate(newsize)

    def _meet(self, kind: str) -> None:
        if self._plan.meets(kind):
            raise FAULTS[self._plan.fault]("planted")


@dataclass
class Tally:
    """What came of the faults."""

    trials: int = 0
    acknowledged: int = 0
    stopped: int = 0
    refused_to_open: int = 0
    violations: list[str] = field(default_factory=list)


class FailingCampaign:
    """Every fault over a copy of the same journal."""

    def __init__(self, folder: Path, seed: int, writer: type[Writer] = Writer) -> None:
        self.tally = Tally()
        self._folder = folder
        self._seed = seed
        self._writer = writer

    async def run(self, every: int = 1) -> None:
        """Fail the first, second, third ... operation of each kind, or only every so many-th of them."""
        specimen = await grow(self._folder / "made", events=SPECIMEN_EVENTS, seed=self._seed, crashed=True)
        for kind in KINDS:
            for fault in FAULTS:
                for stays in (False, True):
                    for number in count(1, every):
                        plan = Plan(kind, number, fault, stays)
                        await self._try(specimen, plan)
                        if not plan.reached:
                            break

    async def _try(self, specimen: Specimen, plan: Plan) -> None:
        folder = specimen.copy(self._folder / "failing")
        handed_in: list[Event] = []
        acknowledged: list[Event] = []
        wrong: list[str] = []
        self.tally.trials += 1
        with failing(plan):
            try:
                journal = failing_journal(plan, self._writer).open(folder)
            except StorageFailure:
                self.tally.refused_to_open += 1
            else:
                wrong += await self._work(journal, handed_in, acknowledged)
                wrong += _read_on(journal, specimen)
                with contextlib.suppress(apsw.Error):  # SQLite itself ignores a last checkpoint that fails
                    await journal.close()
        wrong += await self._afterwards(folder, specimen, handed_in, acknowledged)
        self.tally.acknowledged += len(acknowledged)
        self.tally.violations += [f"S28 {plan}: {text}" for text in wrong]

    async def _work(
        self, journal: SqliteJournal, handed_in: list[Event], acknowledged: list[Event]
    ) -> list[str]:
        """Append until something fails, and some more; nothing handed in after that may be acknowledged."""
        chance = random.Random(self._seed)
        numbers = iter(range(APPENDS))
        failed: list[int] = []
        wrong: list[str] = []

        async def lane(name: str) -> None:
            for number in numbers:
                event = StepCompleted(at=number, step=name, attempt=1, output="x" * chance.randrange(3_000))
                try:
                    durable = journal.append(name, journal.head(name), [event])
                    handed_in.append(event)
                    await durable
                except StorageFailure:
                    failed.append(number)
                    continue
                acknowledged.append(event)
                if failed and number > min(failed):
                    wrong.append(f"append {number} was acknowledged after append {min(failed)} had failed")

        await asyncio.gather(*(lane(f"lane-{number}") for number in range(LANES)))
        self.tally.stopped += bool(failed)
        return wrong

    async def _afterwards(
        self, folder: Path, specimen: Specimen, handed_in: list[Event], acknowledged: list[Event]
    ) -> list[str]:
        """Open anew with a disk that works."""
        try:
            journal = SqliteJournal.open(folder)
        except StorageFailure as error:
            return [f"it does not open any more: {error}"]
        there = [recorded.event for recorded in journal.tail(0, 1_000_000)]
        old = sum(len(events) for events in specimen.truth.values())
        kept = there[old:]
        wrong = [str(damage) for damage in verify_folder(folder).damages]
        if kept != handed_in[: len(kept)]:
            wrong.append("there is something else than what was handed in")
        lost = [event for event in acknowledged if event not in kept]
        if lost:
            wrong.append(f"{len(lost)} of {len(acknowledged)} acknowledged events are gone")
        await journal.append("afterwards", 0, [StepCompleted(at=1, step="s", attempt=1)])
        await journal.close()
        return wrong


def _read_on(journal: SqliteJournal, specimen: Specimen) -> list[str]:
    """What was durable before is read, whatever has become of writing."""
    unread = [name for name, events in specimen.truth.items() if journal.read(name) != events]
    return [f"{name} cannot be read while writing fails" for name in unread]


class StubbornWriter(Writer):
    """A fault for a control: goes on after a failure as if nothing had been."""

    def _commit(self, batch: Batch) -> None:
        try:
            super()._commit(batch)
        finally:
            self.failure = None

    def _run(self) -> None:
        while (batch := self._queue.get()) is not None:
            failure = self._failure_of(self._commit, batch)
            batch.loop.call_soon_threadsafe(self._settled, batch, failure)


def campaign(every: int, seed: int, writer: type[Writer] = Writer) -> Verdict:
    """Faults at every so many-th operation."""
    with scratch() as folder:
        failing_disk, began = FailingCampaign(folder, seed, writer), time.monotonic()
        asyncio.run(failing_disk.run(every))
        took = time.monotonic() - began
    tally = failing_disk.tally
    return Verdict(
        campaign="B4 failing disk",
        trials=tally.trials,
        unit="faults",
        counts={"acked": tally.acknowledged, "stops": tally.stopped, "refusals": tally.refused_to_open},
        details=(f"{tally.trials / took:,.0f} faults a second",),
        violations=tally.violations,
        void=() if tally.stopped and tally.refused_to_open else ("no fault was felt",),
        repeat=f"python -m campaigns failing --every {every} --seed {seed}",
    )


def run(every: int, seed: int) -> Iterator[Verdict]:
    """The campaign and its control."""
    yield campaign(every, seed)
    yield as_control(campaign(CONTROL_EVERY, seed, StubbornWriter), "going on after a failed write")
