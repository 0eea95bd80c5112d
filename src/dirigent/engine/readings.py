"""How executions stand: read from durable events and from the projections over them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from dirigent.domain.errors import NotFound
from dirigent.domain.event import Event, ExecutionStarted
from dirigent.domain.workflow import Definition
from dirigent.interpreter.loading import stored_definition
from dirigent.interpreter.reading import Reading, read_execution
from dirigent.ports import (
    ApprovalRow,
    Clock,
    ExecutionRow,
    Journal,
    OutcomeRow,
    Projections,
    Runtime,
    Verification,
    Waiting,
)

# A reading is kept where so many events were folded for it; fewer take a few milliseconds.
FOLDED_KEPT_MIN = 1_000
READINGS_KEPT_MAX = 4


def _random_id(now_ms: int) -> str:
    _ = now_ms
    return f"exec_{uuid.uuid4()}"


class Readings:
    """What every part of the facade rests on, and everything that only looks."""

    def __init__(
        self,
        runtime: Runtime,
        journal: Journal,
        projections: Projections,
        clock: Clock,
        allow_delivery: Callable[[str], bool],
        fresh_id: Callable[[int], str] = _random_id,
    ) -> None:
        self.runtime = runtime
        self._journal = journal
        self._projections = projections
        self._clock = clock
        self._allow_delivery = allow_delivery
        self._fresh_id = fresh_id
        self._kept: dict[str, Reading] = {}

    def new_execution_id(self) -> str:
        """A free id for an execution accepted now."""
        minted = self._fresh_id(self._clock.now_ms())
        self._journal.expect_new(minted)
        return minted

    def is_known(self, execution_id: str) -> bool:
        """Whether an execution of this id was handed in, whether or not it is on stable storage yet."""
        return self.version(execution_id) > 0

    def version(self, execution_id: str) -> int:
        """How many events of an execution were handed in, on stable storage yet or not."""
        return self._journal.head(execution_id)

    def read(self, execution_id: str) -> Reading:
        """How an execution stands, from its durable events.

        A long one is read on from where it was kept before.
        """
        kept = self._kept.get(execution_id)
        if kept is None:
            reading = read_execution(self.events(execution_id))
        else:
            reading = kept.copied()
            reading.read_on(self._journal.read(execution_id, kept.events))
        if reading.events - (kept.events if kept is not None else 0) >= FOLDED_KEPT_MIN:
            self._keep(reading.copied())
        if not reading.ended_at:
            reading.status = self.row(execution_id).status
        return reading

    def _keep(self, reading: Reading) -> None:
        self._kept.pop(reading.execution_id, None)
        self._kept[reading.execution_id] = reading
        while len(self._kept) > READINGS_KEPT_MAX:
            del self._kept[next(iter(self._kept))]

    def events(self, execution_id: str, after: int = 0) -> list[Event]:
        """Every event of an execution, or those after a version, in order; raises `NotFound`."""
        if after:
            self.row(execution_id)
            return self._journal.read(execution_id, after)
        events = self._journal.read(execution_id)
        if not events or not isinstance(events[0], ExecutionStarted):
            raise NotFound(f"There is no execution {execution_id!r}.", code="execution_not_found")
        return events

    def executions(
        self,
        tenant: str | None = None,
        *,
        statuses: Sequence[str] = (),
        parent: str | None = "",
        limit: int = 100,
    ) -> list[ExecutionRow]:
        """Executions, newest first; `parent=""` leaves out those that others started."""
        return self._projections.executions(tenant, statuses=statuses, parent=parent, limit=limit)

    def forks(self, execution_id: str) -> list[ExecutionRow]:
        """Executions that were forked from one, oldest first."""
        return self._projections.executions(forked_from=execution_id)[::-1]

    def children(self, execution_id: str) -> list[ExecutionRow]:
        """Executions that one started, oldest first."""
        return self._projections.executions(parent=execution_id)[::-1]

    def row(self, execution_id: str) -> ExecutionRow:
        """One line about an execution; raises `NotFound`."""
        found = self._projections.execution(execution_id)
        if found is None:
            self.events(execution_id)  # says so where it is in an archive
            raise NotFound(f"There is no execution {execution_id!r}.", code="execution_not_found")
        return found

    def approvals(
        self, tenant: str | None = None, *, state: str | None = "open", execution: str | None = None
    ) -> list[ApprovalRow]:
        """Requests for a person's decision, oldest first."""
        return self._projections.approvals(tenant, state=state, execution=execution)

    def approval(self, approval_id: str) -> ApprovalRow:
        """One request for a decision; raises `NotFound`."""
        found = self._projections.approval(approval_id)
        if found is None:
            raise NotFound(f"There is no approval {approval_id!r}.", code="approval_not_found")
        return found

    def waiting(
        self, tenant: str | None = None, *, event: str | None = None, execution: str | None = None
    ) -> list[Waiting]:
        """Steps that wait for a signal, longest first."""
        return self._projections.waiting(tenant, event=event, execution=execution)

    def unknown_outcomes(
        self, tenant: str | None = None, *, state: str | None = "open", execution: str | None = None
    ) -> list[OutcomeRow]:
        """Effects of which nobody knows whether they happened, oldest first: what was sent, when, which key.

        `state` None lists the settled ones, too.
        """
        return self._projections.outcomes(tenant, state=state, execution=execution)

    def definition_of(self, reading: Reading) -> Definition:
        """The version of its workflow that an execution stays on."""
        return self._definition(reading.started.definition)

    def verify(self) -> Verification:
        """Check the whole journal."""
        return self._journal.verify()

    def _definition(self, content_hash: str) -> Definition:
        stored = self._projections.definition(content_hash)
        if stored is None:
            raise NotFound(f"The definition {content_hash[:12]} is not stored.", code="definition_not_found")
        return stored_definition(stored)
