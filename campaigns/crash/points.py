"""Named points at which the engine's process kills itself, told from outside the engine: at its ports.

The journal, its writer, its anchor and the clock are wrapped; SQLite is watched through its own hooks and a
VFS. A point is armed as `name:hit`; at that hit the process ends by SIGKILL, from whichever thread is there.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Self

import apsw

from dirigent.bootstrap.system import Dirigent
from dirigent.domain.event import (
    TERMINAL,
    ApprovalDecided,
    ApprovalRequested,
    CallEnded,
    CallStarted,
    CancelRequested,
    ChildEnded,
    CompensationStarted,
    DefinitionStored,
    Event,
    ExecutionPaused,
    ExecutionResumed,
    ExecutionStarted,
    FanOutStarted,
    IterationStarted,
    SignalAwaited,
    SignalReceived,
    StepCompleted,
    StepFailed,
    StepOutcomeResolved,
    StepOutcomeUnknown,
    StepStarted,
    TimerFired,
    WaitEnded,
)
from dirigent.runtimes.clock import SystemClock
from dirigent.security.folder_key import FolderKey
from dirigent.storage.sqlite.anchor import Anchor, AnchorFile
from dirigent.storage.sqlite.database import DATABASE
from dirigent.storage.sqlite.journal import SqliteJournal
from dirigent.storage.sqlite.writer import Writer

CHECKPOINT_PAGES = 48

# What an event is called in the names of points; an intent is a `StepStarted` that announces an effect.
_KINDS: dict[type[Event], str] = {
    DefinitionStored: "definition",
    StepFailed: "failure",
    StepOutcomeUnknown: "unknown",
    StepOutcomeResolved: "resolution",
    FanOutStarted: "fanout",
    ApprovalRequested: "request",
    ApprovalDecided: "decision",
    TimerFired: "timer",
    SignalAwaited: "listening",
    SignalReceived: "signal",
    WaitEnded: "wait_end",
    IterationStarted: "iteration",
    CompensationStarted: "compensation",
    ChildEnded: "child_end",
    CallStarted: "lookup",
    CallEnded: "lookup_end",
    CancelRequested: "cancel",
    ExecutionPaused: "pause",
    ExecutionResumed: "resume",
    **dict.fromkeys(TERMINAL, "end"),
}
_APPENDED = ("start", "child_start", "intent", "result", *dict.fromkeys(_KINDS.values()))

_ROWS = {
    "events": "batch.event_written",
    "streams": "batch.head_written",
    "payloads": "batch.payload_written",
    "executions": "batch.list_written",
    "approvals": "batch.list_written",
}

RECOVERY = (
    "recovery.begins",
    "recovery.anchor_before_begin",
    "recovery.anchor_begun",
    "recovery.journal_opened",
    "recovery.stream_read",
    "recovery.ends",
)

# What a life comes to only where the one before has ended at a certain point.
LEFT_BY = dict.fromkeys(("lookup.handed_in", "lookup_end.handed_in"), "queryable.sent")

# What a life comes to once at most, or at once if at all: its first hit is all there is to wait for.
AT_FIRST = frozenset(RECOVERY) - {"recovery.stream_read"} | LEFT_BY.keys()

# Killed here, an effect has been asked for and its outcome is not durable: the next life asks once more.
REPEATING = ("effect.sent", "effect.replied", "result.before_append")

POINTS = (
    *(f"{kind}.handed_in" for kind in _APPENDED),
    *(f"{kind}.durable" for kind in ("start", "intent", "result", "decision", "cancel", "pause", "end")),
    *(f"{kind}.before_append" for kind in ("intent", "result", "child_end", "unknown", "decision")),
    *(f"{request}.received" for request in ("start", "approve", "cancel", "signal")),
    *(f"{request}.before_reply" for request in ("start", "approve", "cancel", "pause", "resolve", "signal")),
    "effect.before_call",
    "effect.sent",
    "effect.replied",
    "queryable.sent",
    "timer.armed",
    "timer.rings",
    *dict.fromkeys(_ROWS.values()),
    "batch.before_commit",
    "wal.written",
    "wal.before_sync",
    "wal.after_sync",
    "database.written",
    "database.before_sync",
    "database.after_sync",
    "anchor.before_write",
    "anchor.after_write",
    *RECOVERY,
)


class Points:
    """Counts how often each point was reached, and ends the process where one is armed."""

    def __init__(self, armed: Iterable[str] = ()) -> None:
        self._left: Counter[str] = Counter()
        for text in armed:
            name, _, hit = text.partition(":")
            assert name in POINTS, f"there is no point {name!r}"
            self._left[name] = int(hit or 1)
        self.recovering = True

    def __bool__(self) -> bool:
        return bool(self._left)

    def on(self, *places: str) -> bool:
        """Whether a point at one of these places is armed."""
        return any(name.partition(".")[0] in places for name in self._left)

    def reached(self, name: str) -> None:
        """The process is at a point now."""
        self.recovering &= name != "recovery.ends"
        if self._left[name] > 0:
            self._left[name] -= 1
            if self._left[name] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def clock(self) -> SystemClock:
        """Real time, watched where a point is armed."""
        return _PointedClock(self.reached) if self else SystemClock()


def pointed(points: Points) -> type[Dirigent]:
    """The system as it is, or put together from watched parts where a point is armed."""
    if not points:
        return Dirigent
    reached = points.reached

    class PointedAnchor(AnchorFile):
        def begin(self, anchor: Anchor) -> None:
            reached("recovery.anchor_before_begin")
            super().begin(anchor)
            reached("recovery.anchor_begun")

        def _put(self, content: bytes, offset: int) -> None:
            reached("anchor.before_write")
            super()._put(content, offset)
            reached("anchor.after_write")

    class PointedWriter(Writer):
        checkpoint_pages = CHECKPOINT_PAGES

    class PointedJournal(SqliteJournal):
        anchors = PointedAnchor
        writers = PointedWriter

        @classmethod
        def open(cls, folder: Path, *, accept: bool = False, key: FolderKey | None = None) -> Self:
            journal = super().open(folder, accept=accept, key=key)
            reached("recovery.journal_opened")
            return journal

        def read(self, stream: str, after: int = 0) -> list[Event]:
            if points.recovering:
                reached("recovery.stream_read")
            return super().read(stream, after)

        def append(self, stream: str, expected_version: int, events: Sequence[Event]) -> Awaitable[None]:
            kinds = kinds_of(stream, events)
            tell(kinds, "before_append", reached)
            durable = super().append(stream, expected_version, events)
            tell(kinds, "handed_in", reached)
            if isinstance(durable, asyncio.Future):
                durable.add_done_callback(lambda _: tell(kinds, "durable", reached))
            return durable

    class PointedDirigent(Dirigent):
        journals = PointedJournal

    kinds_of = _Kinds().of
    _watch_sqlite(points)
    return PointedDirigent


def tell(kinds: Iterable[str], moment: str, reached: Callable[[str], None]) -> None:
    """Every kind has come to a moment."""
    for kind in kinds:
        reached(f"{kind}.{moment}")


class _Kinds:
    """What appended events are called; a result is the end of a step that announced an effect."""

    def __init__(self) -> None:
        self._announced: set[tuple[str, str]] = set()

    def of(self, stream: str, events: Sequence[Event]) -> list[str]:
        """The kinds of the events of one append."""
        found = []
        for event in events:
            if isinstance(event, ExecutionStarted):
                found.append("child_start" if event.parent else "start")
            elif isinstance(event, StepStarted) and event.key:
                self._announced.add((stream, event.step))
                found.append("intent")
            elif isinstance(event, StepCompleted) and (stream, event.step) in self._announced:
                found.append("result")
            elif type(event) in _KINDS:
                found.append(_KINDS[type(event)])
        return found


class _PointedClock(SystemClock):
    def __init__(self, reached: Callable[[str], None]) -> None:
        super().__init__()
        self._reached = reached

    def call_at(self, due_ms: int, callback: Callable[[], None]) -> Callable[[], None]:
        def ring() -> None:
            self._reached("timer.rings")
            callback()

        cancel = super().call_at(due_ms, ring)
        self._reached("timer.armed")
        return cancel


_watching: list[apsw.VFS] = []  # SQLite forgets a file system that nobody holds


def _watch_sqlite(points: Points) -> None:
    """Watch rows and commits of the journal, or the files below them, from here on."""
    reached = points.reached
    if points.on("wal", "database"):
        _watching.append(_PointedVFS(reached))
    if not points.on("batch"):
        return

    def row(_operation: int, _database: str, table: str, _row: int) -> None:
        if table in _ROWS:
            reached(_ROWS[table])

    def commit() -> bool:
        reached("batch.before_commit")
        return False

    def watch(connection: apsw.Connection) -> None:
        if connection.filename.endswith(DATABASE):
            connection.set_update_hook(row)
            connection.set_commit_hook(commit)

    apsw.connection_hooks.append(watch)


class _PointedVFS(apsw.VFS):
    """The file system as it is, telling of writes and syncs."""

    def __init__(self, reached: Callable[[str], None]) -> None:
        super().__init__("pointed", "unix", makedefault=True)
        self._reached = reached

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        if path.endswith(DATABASE):
            return _PointedFile(self._reached, "database", name, flags)
        if path.endswith(f"{DATABASE}-wal"):
            return _PointedFile(self._reached, "wal", name, flags)
        return super().xOpen(name, flags)


class _PointedFile(apsw.VFSFile):
    def __init__(
        self,
        reached: Callable[[str], None],
        what: str,
        name: str | apsw.URIFilename | None,
        flags: list[int],
    ) -> None:
        super().__init__("unix", name, flags)
        self._reached = reached
        self._what = what

    def xWrite(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        self._reached(f"{self._what}.written")

    def xSync(self, flags: int) -> None:
        self._reached(f"{self._what}.before_sync")
        super().xSync(flags)
        self._reached(f"{self._what}.after_sync")
