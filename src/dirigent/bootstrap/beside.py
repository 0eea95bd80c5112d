"""A data folder read beside whoever works in it: nothing is locked, resumed or written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dirigent.bootstrap.keys import folder_key, folder_lock
from dirigent.domain.errors import Conflict, NotFound
from dirigent.domain.event import Event, ExecutionStarted, SignalReceived
from dirigent.domain.workflow import Definition
from dirigent.engine import Engine
from dirigent.intake.library.store import WorkflowStore
from dirigent.interpreter.loading import Actions
from dirigent.ports import Recorded, Records, Verification
from dirigent.runtimes.clock import SystemClock
from dirigent.security.folder_key import FolderKey
from dirigent.settings import Settings
from dirigent.storage.sqlite.database import DATABASE
from dirigent.storage.sqlite.journal import SqliteJournal, verify_folder
from dirigent.storage.sqlite.lock import Holder, describe
from dirigent.storage.sqlite.projections import SqliteProjections
from dirigent.storage.sqlite.reading import Reader
from dirigent.storage.sqlite.records import SqliteRecords
from dirigent.storage.sqlite.workflows import SqliteWorkflows


@dataclass(frozen=True, kw_only=True)
class Books:
    """What a command that only looks needs: executions and approvals, the records, stored workflows.

    `held` tells whether a process holds the folder, so that what is unfinished is under way.
    """

    engine: Engine
    records: Records
    library: WorkflowStore | None = None
    held: bool = True


@contextmanager
def reading(settings: Settings) -> Iterator[Books]:
    """Open a data folder for reading; raises `NotFound` where there is none."""
    folder = settings.data_folder
    need_journal(folder)
    key = folder_key(settings)
    with ExitStack() as stack:
        reader = stack.enter_context(closing(Reader(folder / DATABASE, key)))
        projections = stack.enter_context(closing(SqliteProjections(folder, key)))
        records = stack.enter_context(closing(SqliteRecords(folder / "records.db", key=key)))
        journal = _StoredJournal(folder, reader, key)
        engine = Engine(_NoRuntime(), journal, projections, SystemClock(), lambda _: settings.allow_delivery)
        workflows = stack.enter_context(closing(SqliteWorkflows(folder, key)))
        library = WorkflowStore(journal, workflows, SystemClock())
        yield Books(engine=engine, records=records, library=library, held=describe(folder) is not None)


@asynccontextmanager
async def keeping_library(settings: Settings, actions: Actions) -> AsyncIterator[WorkflowStore]:
    """Hold a data folder to change its stored workflows alone: nothing that waits there is taken up.

    Raises `DataFolderBusy` where another process holds the folder.
    """
    folder = settings.data_folder
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder_lock(settings)
    lock.acquire()
    try:
        key = folder_key(settings)
        journal = SqliteJournal.open(folder, key=key)
        try:
            with closing(SqliteWorkflows(folder, key)) as workflows:
                yield WorkflowStore(journal, workflows, SystemClock(), actions=actions)
        finally:
            await journal.close()
    finally:
        lock.release()


@contextmanager
def open_records(settings: Settings) -> Iterator[SqliteRecords]:
    """Open the records alone, making the folder where there is none; an import needs no more."""
    settings.data_folder.mkdir(parents=True, exist_ok=True)
    with closing(SqliteRecords(settings.data_folder / "records.db", key=folder_key(settings))) as records:
        yield records


def need_journal(folder: Path) -> None:
    """Raise `NotFound` where a folder holds no journal."""
    if not (folder / DATABASE).is_file():
        error = NotFound(f"There is no journal in {folder}: nothing has been run there.")
        error.fix = "Run something first, or name the folder with --data."
        raise error


class _StoredJournal:
    """The port `Journal` without its writing half."""

    def __init__(self, folder: Path, reader: Reader, key: FolderKey | None) -> None:
        self._folder = folder
        self._key = key
        self._reader = reader

    @property
    def position(self) -> int:
        return self._reader.position()

    def append(self, stream: str, expected_version: int, events: Sequence[Event]) -> Awaitable[None]:
        raise Conflict(f"The journal is open for reading; {stream!r} cannot be written.")

    def read(self, stream: str, after: int = 0) -> list[Event]:
        return self._reader.events(stream, after)

    def tail(self, after: int, limit: int = 1000) -> list[Recorded]:
        return self._reader.tail(after, limit)

    def head(self, stream: str) -> int:
        head = self._reader.head(stream)
        return head.version if head else 0

    def expect_new(self, stream: str) -> None:
        raise Conflict(f"The journal is open for reading; {stream!r} cannot be written.")

    def verify(self) -> Verification:
        return verify_folder(self._folder, self._key)

    async def close(self) -> None:
        self._reader.close()


class _NoRuntime:
    """The port `Runtime` where nothing runs."""

    async def submit(self, definition: Definition, started: ExecutionStarted) -> None:
        raise Conflict("The data folder is open for reading.")

    async def run(self, definition: Definition, started: ExecutionStarted) -> None:
        raise Conflict("The data folder is open for reading.")

    async def deliver(self, execution_id: str, event: Event) -> None:
        raise Conflict("The data folder is open for reading.")

    async def offer(self, execution_id: str, signal: SignalReceived) -> bool:
        raise Conflict("The data folder is open for reading.")

    async def rest(self, execution_id: str, *, before: int = 0) -> None:
        raise Conflict("The data folder is open for reading.")

    def observe(
        self, observer: Callable[[str, Event], None], kinds: Collection[type[Event]] = ()
    ) -> Callable[[], None]:
        raise Conflict("The data folder is open for reading.")

    def running(self) -> list[str]:
        return []


def journal_file(folder: Path) -> Path:
    """Where the journal of a data folder lies."""
    return folder / DATABASE


def verify_journal(settings: Settings) -> Verification:
    """Check the whole journal of a folder; raises `NotFound` where there is none."""
    need_journal(settings.data_folder)
    return verify_folder(settings.data_folder, folder_key(settings))


def holder_of(folder: Path) -> Holder | None:
    """Who works in the data folder now; None when nobody does."""
    return describe(folder)
