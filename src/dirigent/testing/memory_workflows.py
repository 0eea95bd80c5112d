"""Stored workflows in memory, for tests and simulation: the same rows as on disk, folded from a journal."""

from __future__ import annotations

import msgspec

from dirigent.domain.event import WorkflowPaused, WorkflowResumed, WorkflowRolledBack, WorkflowSaved
from dirigent.ports import Journal, Recorded, VersionRow, WorkflowRow

PAGE_EVENTS = 1000

_with = msgspec.structs.replace


class MemoryWorkflows:
    """The port `Workflows` over any journal; it catches up with it whenever it is asked."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._position = 0
        self._rows: dict[tuple[str, str], WorkflowRow] = {}
        self._versions: dict[tuple[str, str], list[VersionRow]] = {}

    def workflows(self, tenant: str | None = None) -> list[WorkflowRow]:
        """All of one tenant, or of all, by name."""
        self._catch_up()
        found = [self._rows[key] for key in sorted(self._rows)]
        return [row for row in found if tenant in (None, row.tenant)]

    def workflow(self, tenant: str, name: str) -> WorkflowRow | None:
        """One, or None."""
        self._catch_up()
        return self._rows.get((tenant, name))

    def versions(self, tenant: str, name: str) -> list[VersionRow]:
        """Every version there was, the first one first."""
        self._catch_up()
        return list(self._versions.get((tenant, name), ()))

    def _catch_up(self) -> None:
        while page := self._journal.tail(self._position, PAGE_EVENTS):
            for recorded in page:
                self._take(recorded)
            self._position = page[-1].position

    def _take(self, recorded: Recorded) -> None:
        event = recorded.event
        if isinstance(event, WorkflowSaved):
            version = VersionRow(
                version=event.version,
                content_hash=event.content_hash,
                saved_at=event.at,
                saved_by=event.actor,
                note=event.note,
            )
            self._versions.setdefault((event.tenant, event.workflow), []).append(version)
            self._put_in_force(event)
        elif isinstance(event, WorkflowRolledBack):
            self._put_in_force(event)
        elif isinstance(event, WorkflowPaused):
            self._set_state(event, "paused", event.reason)
        elif isinstance(event, WorkflowResumed):
            self._set_state(event, "active", "")

    def _put_in_force(self, event: WorkflowSaved | WorkflowRolledBack) -> None:
        key = (event.tenant, event.workflow)
        before = self._rows.get(key)
        self._rows[key] = WorkflowRow(
            tenant=event.tenant,
            name=event.workflow,
            version=event.version,
            versions=max(event.version, before.versions if before else 0),
            content_hash=event.content_hash,
            state=before.state if before else "active",
            changed_at=event.at,
            changed_by=event.actor,
            note=event.note,
        )

    def _set_state(self, event: WorkflowPaused | WorkflowResumed, state: str, note: str) -> None:
        key = (event.tenant, event.workflow)
        if key in self._rows:
            self._rows[key] = _with(
                self._rows[key], state=state, changed_at=event.at, changed_by=event.actor, note=note
            )
