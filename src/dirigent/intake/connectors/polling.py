"""Polling: another system is asked what has changed, and every change becomes an event once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import structlog

from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.errors import Conflict, DirigentError, ExpressionError, InvalidInput, NotFound
from dirigent.domain.event import ConnectorAdvanced
from dirigent.intake.connectors.definition import ConnectorDefinition
from dirigent.intake.events.log import EventLog
from dirigent.intake.events.reading import read_event
from dirigent.interpreter.expression import parse_expression
from dirigent.interpreter.template import Render, compile_template
from dirigent.ports import Change, ChangeSource, Clock, Journal

PAGE_ROWS = 500
REASON_LENGTH_MAX = 500

log = structlog.get_logger("dirigent.connectors")


class Polled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one poll: rows that became events, that were events before, that nobody wants.

    `refused` says of each row why it could not become an event. `through` is the mark that has been
    dealt with.
    """

    taken: int = 0
    known: int = 0
    passed: int = 0
    refused: tuple[str, ...] = ()
    through: int = 0


class ConnectorState(NamedTuple):
    """How a connector stands: how far it came, and why the last poll failed, if it did."""

    definition: ConnectorDefinition
    tenant: str
    through: int
    failure: str


class Connectors:
    """The connectors of one data folder, each polled in its own time.

    How far each came is in the journal. Rows of the very last mark are looked at again, because others may
    have come with the same; an event that is there already is not taken in twice, so neither that nor a
    crash tells a change twice. What cannot be asked is asked again next time.
    """

    def __init__(
        self,
        definitions: Iterable[tuple[ConnectorDefinition, ChangeSource]],
        events: EventLog,
        journal: Journal,
        clock: Clock,
        tenant: str,
    ) -> None:
        self._kept = {
            (one.tenant or tenant, one.name): _Kept(one, one.tenant or tenant, source, journal)
            for one, source in definitions
        }
        self._events = events
        self._journal = journal
        self._clock = clock
        self._tenant = tenant
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to poll, each connector at once and then in its own time; a server does this by itself."""
        self._tasks = [
            asyncio.create_task(self._keep(kept), name=f"dirigent-connector-{kept.definition.name}")
            for kept in self._kept.values()
        ]

    async def close(self) -> None:
        """Stop; what was not dealt with is dealt with at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def rest(self) -> None:
        """Return when every connector waits for its time."""
        for kept in self._kept.values():
            await kept.idle.wait()

    def states(self, tenant: str | None = None) -> list[ConnectorState]:
        """How the connectors stand, by name."""
        found = [kept for (whose, _), kept in sorted(self._kept.items()) if tenant in (None, whose)]
        return [ConnectorState(kept.definition, kept.tenant, kept.through, kept.failure) for kept in found]

    async def poll(self, name: str, *, tenant: str = "", again: bool = False) -> Polled:
        """Ask now; with `again` from the beginning, for rows that were refused and fit a mended mapping.

        Raises `NotFound`, and what the other system fails with.
        """
        kept = self._kept.get((tenant or self._tenant, name))
        if kept is None:
            raise NotFound(f"There is no connector {name!r}.", code="connector_not_found")
        return await self._poll(kept, again=again)

    async def _poll(self, kept: _Kept, *, again: bool = False) -> Polled:
        async with kept.turn:
            since = 0 if again else kept.through
            found = await asyncio.to_thread(kept.source.changed, since)
            tally = _Tally(found.unreadable)
            for begin in range(0, len(found.changes), PAGE_ROWS):
                await self._take(kept, found.changes[begin : begin + PAGE_ROWS], tally)
            through = max([kept.through, *(change.mark for change in found.changes[-1:])])
            if tally.taken or through > kept.through:
                await self._advance(kept, through, tally)
            kept.failure = ""
            return tally.polled(through)

    async def _take(self, kept: _Kept, changes: Sequence[Change], tally: _Tally) -> None:
        events = []
        for change in changes:
            try:
                event = kept.event_of(change)
            except (ExpressionError, InvalidInput) as error:
                tally.refuse(change, error)
                continue
            if event is None:
                tally.passed += 1
            else:
                events.append((change, event))
        # What is handed in during one turn is written together, and each is answered for itself.
        answers = await asyncio.gather(
            *(self._events.publish(event) for _, event in events), return_exceptions=True
        )
        for (change, _), answer in zip(events, answers, strict=True):
            if isinstance(answer, Conflict) and kept.names_events:
                tally.known += 1
            elif isinstance(answer, Conflict | InvalidInput):
                tally.refuse(change, answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                tally.known += answer.duplicate
                tally.taken += not answer.duplicate

    async def _advance(self, kept: _Kept, through: int, tally: _Tally) -> None:
        event = ConnectorAdvanced(
            at=self._clock.now_ms(),
            tenant=kept.tenant,
            connector=kept.definition.name,
            through=through,
            taken=tally.taken,
            refused=len(tally.refused),
            reason=tally.refused[0][:REASON_LENGTH_MAX] if tally.refused else "",
        )
        await self._journal.append(kept.stream, self._journal.head(kept.stream), [event])
        kept.through = through

    async def _keep(self, kept: _Kept) -> None:
        try:
            while True:
                await self._try(kept)
                woken = asyncio.Event()
                due = self._clock.now_ms() + kept.definition.every_ms
                cancel = self._clock.call_at(due, kept.rouser(woken))
                kept.idle.set()
                try:
                    await woken.wait()
                finally:
                    cancel()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.exception("connector.stopped", connector=kept.definition.name)
            kept.failure = f"stopped: {error!r}"
            kept.idle.set()

    async def _try(self, kept: _Kept) -> None:
        try:
            polled = await self._poll(kept)
        except DirigentError as error:
            kept.failure = str(error)
            log.warning("connector.failed", connector=kept.definition.name, reason=kept.failure)
        else:
            if polled.refused:
                log.warning("connector.refused", connector=kept.definition.name, reason=polled.refused[0])


class _Kept:
    """A connector at work."""

    def __init__(
        self, definition: ConnectorDefinition, tenant: str, source: ChangeSource, journal: Journal
    ) -> None:
        self.definition = definition
        self.tenant = tenant
        self.source = source
        self.stream = connector_stream(tenant, definition.name)
        self.turn = asyncio.Lock()
        self.idle = asyncio.Event()
        self.failure = ""
        self.through = _through(journal, self.stream)
        self.names_events = "id" in definition.event
        self._wanted = parse_expression(definition.when) if definition.when else None
        self._render: Render = compile_template(dict(definition.event))

    def rouser(self, woken: asyncio.Event) -> Callable[[], None]:
        """What lets it be polled again."""

        def rouse() -> None:
            self.idle.clear()
            woken.set()

        return rouse

    def event_of(self, change: Change) -> DomainEvent | None:
        """What a row becomes; None where it is not wanted. Raises `ExpressionError` and `InvalidInput`."""
        scope: Mapping[str, Any] = {"row": change.row}
        if self._wanted is not None and not self._wanted.holds(scope):
            return None
        name = f"{change.id}@{change.row[self.definition.changed]}"
        return read_event(self._render(scope), tenant=self.tenant, new_id=name)


class _Tally:
    """What became of the rows of one poll."""

    def __init__(self, unreadable: Iterable[str]) -> None:
        self.taken = self.known = self.passed = 0
        self.refused = list(unreadable)

    def refuse(self, change: Change, error: DirigentError) -> None:
        """A row could not become an event."""
        self.refused.append(f"{change.id}: {error}")

    def polled(self, through: int) -> Polled:
        """The answer."""
        return Polled(
            taken=self.taken,
            known=self.known,
            passed=self.passed,
            refused=tuple(self.refused),
            through=through,
        )


def connector_stream(tenant: str, name: str) -> str:
    """Where the journal says how far a connector came."""
    return f"connectors/{tenant}/{name}"


def _through(journal: Journal, stream: str) -> int:
    head = journal.head(stream)
    if not head:
        return 0
    last = journal.read(stream, head - 1)[-1]
    assert isinstance(last, ConnectorAdvanced), "nothing else is in this stream"
    return last.through
