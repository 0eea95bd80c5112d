"""What every reading of stored workflows has to pass. Subclass, say how it is made, and run pytest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path

from dirigent.domain.event import (
    Event,
    StepCompleted,
    WorkflowPaused,
    WorkflowResumed,
    WorkflowRolledBack,
    WorkflowSaved,
)
from dirigent.ports import Journal, VersionRow, WorkflowRow, Workflows
from dirigent.testing.frame import pytest

Pair = tuple[Journal, Workflows]


def saved(at: int, version: int, *, name: str = "mail", tenant: str = "t", note: str = "") -> WorkflowSaved:
    """A version whose content is named after its number."""
    return WorkflowSaved(
        at=at,
        tenant=tenant,
        workflow=name,
        version=version,
        content_hash=f"hash{version}",
        actor="ann",
        note=note,
    )


def chosen(at: int, version: int) -> WorkflowRolledBack:
    """Another version put in force."""
    return WorkflowRolledBack(
        at=at, tenant="t", workflow="mail", version=version, content_hash=f"hash{version}", actor="bob"
    )


class WorkflowsConformance(ABC):
    """The promises of the port `Workflows`."""

    @abstractmethod
    def make_pair(self, tmp_path: Path) -> Pair:
        """An empty journal and the reading over it; the suite closes both."""

    @pytest.fixture
    async def pair(self, tmp_path: Path) -> AsyncIterator[Pair]:
        """The reading under test and the journal that it reads."""
        journal, workflows = self.make_pair(tmp_path)
        yield journal, workflows
        await journal.close()
        getattr(workflows, "close", lambda: None)()

    async def tell(self, journal: Journal, *events: Event, stream: str = "workflow:t/mail") -> None:
        """Append events one by one."""
        for event in events:
            await journal.append(stream, journal.head(stream), [event])

    async def test_begins_empty(self, pair: Pair) -> None:
        """Where nothing was saved there is nothing, and asking for it is no error."""
        _, workflows = pair
        assert isinstance(workflows, Workflows)
        assert workflows.workflows() == workflows.workflows("t") == []
        assert workflows.workflow("t", "mail") is None
        assert workflows.versions("t", "mail") == []

    async def test_the_newest_version_is_in_force(self, pair: Pair) -> None:
        """Saving adds a version and puts it in force; every version keeps who saved it, when and why."""
        journal, workflows = pair
        await self.tell(journal, saved(1, 1, note="first"), saved(2, 2, note="second"))
        assert workflows.workflow("t", "mail") == WorkflowRow(
            tenant="t",
            name="mail",
            version=2,
            versions=2,
            content_hash="hash2",
            state="active",
            changed_at=2,
            changed_by="ann",
            note="second",
        )
        assert workflows.versions("t", "mail") == [
            VersionRow(version=1, content_hash="hash1", saved_at=1, saved_by="ann", note="first"),
            VersionRow(version=2, content_hash="hash2", saved_at=2, saved_by="ann", note="second"),
        ]

    async def test_a_rollback_changes_what_is_in_force(self, pair: Pair) -> None:
        """An earlier version is in force again; none is lost, and the next one is numbered after all."""
        journal, workflows = pair
        await self.tell(journal, saved(1, 1), saved(2, 2), chosen(3, 1))
        row = workflows.workflow("t", "mail")
        assert row is not None
        assert (row.version, row.versions, row.content_hash) == (1, 2, "hash1")
        assert (row.changed_at, row.changed_by) == (3, "bob")
        await self.tell(journal, saved(4, 3))
        row = workflows.workflow("t", "mail")
        assert row is not None
        assert (row.version, row.versions, len(workflows.versions("t", "mail"))) == (3, 3, 3)

    async def test_pausing_is_a_state_of_the_workflow(self, pair: Pair) -> None:
        """Paused and resumed, with who and why; saving meanwhile does not resume."""
        journal, workflows = pair
        await self.tell(
            journal, saved(1, 1), WorkflowPaused(at=2, tenant="t", workflow="mail", actor="bob", reason="off")
        )
        row = workflows.workflow("t", "mail")
        assert row is not None
        assert (row.state, row.changed_by, row.note) == ("paused", "bob", "off")
        await self.tell(journal, saved(3, 2))
        row = workflows.workflow("t", "mail")
        assert row is not None
        assert (row.state, row.version) == ("paused", 2)
        await self.tell(journal, WorkflowResumed(at=4, tenant="t", workflow="mail", actor="ann"))
        row = workflows.workflow("t", "mail")
        assert row is not None
        assert (row.state, row.note) == ("active", "")

    async def test_tenants_and_names_are_apart(self, pair: Pair) -> None:
        """Lists are by tenant and name; other events leave no trace; any name will do."""
        journal, workflows = pair
        names = ["b", "a", "Ünïcode ☃", "'; --", "x" * 200]
        for number, name in enumerate(names):
            await self.tell(journal, saved(number, 1, name=name), stream=f"workflow:t/{name}")
        await self.tell(journal, saved(9, 1, name="a", tenant="u"), stream="workflow:u/a")
        await self.tell(journal, StepCompleted(at=1, step="s", attempt=1), stream="e")
        assert [row.name for row in workflows.workflows("t")] == sorted(names)
        assert [(row.tenant, row.name) for row in workflows.workflows()][-1] == ("u", "a")
        assert workflows.workflow("u", "b") is None
        assert [row.version for row in workflows.versions("u", "a")] == [1]
