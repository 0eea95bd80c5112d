"""The store of workflows: every version of each on record, one of them in force."""

from __future__ import annotations

import asyncio
import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from dirigent.domain.errors import Conflict, InvalidInput, NotFound
from dirigent.domain.event import (
    DefinitionStored,
    Event,
    WorkflowPaused,
    WorkflowResumed,
    WorkflowRolledBack,
    WorkflowSaved,
)
from dirigent.domain.ids import workflow_id, workflow_stream
from dirigent.domain.workflow import Definition
from dirigent.intake.time_zones import TIME_ZONES
from dirigent.intake.workflows import built_in, built_in_names
from dirigent.interpreter.differences import Change, differences, text_difference
from dirigent.interpreter.loading import (
    Actions,
    definition_from,
    definition_to_dict,
    load_definition,
    stored_definition,
)
from dirigent.interpreter.yaml_text import as_yaml
from dirigent.ports import Clock, Journal, VersionRow, WorkflowRow, Workflows

NOTE_LENGTH_MAX = 2000


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to saving, on stable storage. `is_new` is False where this very version is known already."""

    name: str
    version: int
    content_hash: str
    is_new: bool


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a workflow: what it does, and the text it was written as, comments included."""

    row: WorkflowRow
    version: VersionRow
    definition: Definition
    source: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What one version changed in another: in the words of the format, and as lines of text."""

    before: VersionRow
    after: VersionRow
    changes: tuple[Change, ...]
    text: str


Changed = Callable[[WorkflowRow, Definition], None]


class Library(Protocol):
    """What changes stored workflows: the store itself, or a server that holds it. See `WorkflowStore`."""

    async def save(
        self,
        written: str,
        *,
        tenant: str,
        actor: str,
        note: str = "",
        source: str = "<workflow>",
        known_agents: bool = True,
    ) -> Saved:
        """Store a workflow under its name and put it in force."""
        ...

    def find(self, tenant: str, name: str) -> WorkflowRow:
        """One workflow."""
        ...

    async def rollback(
        self, tenant: str, name: str, version: int, *, actor: str, note: str = ""
    ) -> WorkflowRow:
        """Put another version in force."""
        ...

    async def pause(self, tenant: str, name: str, *, actor: str, reason: str = "") -> WorkflowRow:
        """Start no more executions of a workflow."""
        ...

    async def resume(self, tenant: str, name: str, *, actor: str) -> WorkflowRow:
        """Let a workflow start executions again."""
        ...

    def check(self, written: str, *, source: str = "<workflow>", known_agents: bool = True) -> Definition:
        """The definition as it would be stored."""
        ...


class WorkflowStore:
    """Workflows of all tenants by name, kept as events of the journal.

    A version is what a workflow does, so the same content is the same version, however it is written. What
    runs stays on the version it was started with. `changed` is told, once it is durable, of every workflow
    that was saved, rolled back, paused or resumed.
    """

    def __init__(
        self,
        journal: Journal,
        workflows: Workflows,
        clock: Clock,
        *,
        actions: Actions | None = None,
        changed: Changed | None = None,
    ) -> None:
        self._journal = journal
        self._workflows = workflows
        self._clock = clock
        self._actions = actions
        self._changed = changed
        self._turn = asyncio.Lock()

    async def save(
        self,
        written: str | Mapping[str, Any] | Definition,
        *,
        tenant: str,
        actor: str,
        note: str = "",
        source: str = "<workflow>",
        known_agents: bool = True,
    ) -> Saved:
        """Store a workflow under its name and put it in force.

        Content that an earlier version has makes that version the one in force again. With
        `known_agents` its steps may name only agents there are. Raises `InvalidDefinition` with every
        problem, and `InvalidInput` for a name that is not free.
        """
        definition = self.check(written, source=source, known_agents=known_agents)
        if definition.name in built_in_names():
            raise InvalidInput(
                f"{definition.name!r} is the name of a workflow that comes with Dirigent.",
                fix="Give yours another name.",
                field="name",
            )
        text = written if isinstance(written, str) else ""
        async with self._turn:
            return await self._save(definition, text, tenant, actor, _bounded(note))

    def rows(self, tenant: str | None = None) -> list[WorkflowRow]:
        """The workflows of a tenant, or of all, by name."""
        return self._workflows.workflows(tenant)

    def find(self, tenant: str, name: str) -> WorkflowRow:
        """One workflow, by its name, its short name (`content-creation`) or its id; raises `NotFound`."""
        found = self._workflows.workflow(tenant, name)
        if found is not None:
            return found
        rows = self._workflows.workflows(tenant)
        found = next((row for row in rows if workflow_id(tenant, row.name) == name), None)
        if found is not None:
            return found
        alike = [row for row in rows if short_name(row.name) == short_name(name)]
        if len(alike) == 1:
            return alike[0]
        nearest = [row.name for row in alike] or difflib.get_close_matches(name, [row.name for row in rows])
        stored = "" if nearest else " `dirigent workflow save FILE` stores one."
        raise NotFound(f"There is no workflow {name!r}.{stored}", code="workflow_not_found", nearest=nearest)

    def id_of(self, tenant: str, name: str) -> str:
        """The id of a workflow; its name where none of this name is stored."""
        return workflow_id(tenant, name) if self._workflows.workflow(tenant, name) is not None else name

    def version_of(self, tenant: str, name: str, content_hash: str) -> int | None:
        """Which version of a workflow this content is; None where it was never stored under this name."""
        versions = self._workflows.versions(tenant, name)
        return next((one.version for one in versions if one.content_hash == content_hash), None)

    def versions(self, tenant: str, name: str) -> list[VersionRow]:
        """Every version of a workflow, the first one first; raises `NotFound`."""
        return self._workflows.versions(tenant, self.find(tenant, name).name)

    def get(self, tenant: str, name: str, version: int = 0) -> Stored:
        """A version of a workflow, else the one in force; raises `NotFound`."""
        row = self.find(tenant, name)
        return self._stored(row, self._version(row, version or row.version))

    def startable(self, tenant: str, name: str, version: int = 0) -> Stored:
        """As `get`, for whoever wants to start it; raises `Conflict` where it is paused."""
        found = self.get(tenant, name, version)
        if found.row.state == "paused":
            raise Conflict(
                f"The workflow {found.row.name!r} is paused by {found.row.changed_by}.",
                fix=f"`dirigent workflow resume {short_name(found.row.name)}` lets it start again.",
            )
        return found

    def diff(self, tenant: str, name: str, before: int, after: int = 0) -> Difference:
        """What changed from one version to another, else to the one in force."""
        old, new = self.get(tenant, name, before), self.get(tenant, name, after)
        names = (f"{old.row.name} {old.version.version}", f"{new.row.name} {new.version.version}")
        return Difference(
            before=old.version,
            after=new.version,
            changes=tuple(differences(old.definition, new.definition)),
            text=text_difference(as_yaml(old.definition), as_yaml(new.definition), names=names),
        )

    async def rollback(
        self, tenant: str, name: str, version: int, *, actor: str, note: str = ""
    ) -> WorkflowRow:
        """Put another version in force; what runs is not touched. Raises `Conflict` where it is already."""
        async with self._turn:
            row = self.find(tenant, name)
            chosen = self._version(row, version)
            if version == row.version:
                raise Conflict(f"Version {version} of {row.name!r} is in force already.")
            return await self._put_in_force(row, chosen, actor, _bounded(note))

    async def pause(self, tenant: str, name: str, *, actor: str, reason: str = "") -> WorkflowRow:
        """Start no more executions of a workflow, by hand or by its triggers; those that run go on."""
        async with self._turn:
            row = self._in_state(tenant, name, "active")
            event = WorkflowPaused(
                at=self._clock.now_ms(),
                tenant=tenant,
                workflow=row.name,
                actor=actor,
                reason=_bounded(reason),
            )
            return await self._record(row.tenant, row.name, event)

    async def resume(self, tenant: str, name: str, *, actor: str) -> WorkflowRow:
        """Let a workflow start executions again."""
        async with self._turn:
            row = self._in_state(tenant, name, "paused")
            event = WorkflowResumed(at=self._clock.now_ms(), tenant=tenant, workflow=row.name, actor=actor)
            return await self._record(row.tenant, row.name, event)

    def __call__(self, tenant: str, name: str) -> Definition:
        """A workflow that another one wants to start: it comes with Dirigent, or it is stored."""
        if name in built_in_names():
            return built_in(name)
        return self.startable(tenant, name).definition

    def check(
        self,
        written: str | Mapping[str, Any] | Definition,
        *,
        source: str = "<workflow>",
        known_agents: bool = True,
    ) -> Definition:
        """The definition as it would be stored; raises `InvalidDefinition` with every problem."""
        actions = self._actions if known_agents else None
        if isinstance(written, str):
            return load_definition(written, source=source, actions=actions, timezones=TIME_ZONES)
        data = definition_to_dict(written) if isinstance(written, Definition) else written
        return definition_from(data, source=source, actions=actions, timezones=TIME_ZONES)

    async def _save(self, definition: Definition, text: str, tenant: str, actor: str, note: str) -> Saved:
        name, content_hash = definition.name, definition.content_hash
        row = self._workflows.workflow(tenant, name)
        versions = self._workflows.versions(tenant, name)
        known = next((one for one in versions if one.content_hash == content_hash), None)
        number = known.version if known else len(versions) + 1
        if row is not None and known is not None:
            if row.content_hash != content_hash:
                await self._put_in_force(row, known, actor, note)
        else:
            self._store(definition)
            event = WorkflowSaved(
                at=self._clock.now_ms(),
                tenant=tenant,
                workflow=name,
                version=number,
                content_hash=content_hash,
                actor=actor,
                source=text,
                note=note,
            )
            await self._record(tenant, name, event)
        return Saved(name=name, version=number, content_hash=content_hash, is_new=known is None)

    async def _put_in_force(self, row: WorkflowRow, chosen: VersionRow, actor: str, note: str) -> WorkflowRow:
        event = WorkflowRolledBack(
            at=self._clock.now_ms(),
            tenant=row.tenant,
            workflow=row.name,
            version=chosen.version,
            content_hash=chosen.content_hash,
            actor=actor,
            note=note,
        )
        return await self._record(row.tenant, row.name, event)

    async def _record(self, tenant: str, name: str, event: Event) -> WorkflowRow:
        """Append, wait until it is durable, and tell."""
        stream = workflow_stream(tenant, name)
        await self._journal.append(stream, self._journal.head(stream), [event])
        row = self._workflows.workflow(tenant, name)
        assert row is not None, "the row is written together with the event"
        if self._changed is not None:
            self._changed(row, self._definition(row.content_hash))
        return row

    def _store(self, definition: Definition) -> None:
        """Put the content on record; it is on stable storage before the version that names it."""
        stream = definition.content_hash
        if self._journal.head(stream) == 0:
            stored = DefinitionStored(
                at=self._clock.now_ms(), content_hash=stream, definition=definition_to_dict(definition)
            )
            _ = self._journal.append(stream, 0, [stored])

    def _stored(self, row: WorkflowRow, version: VersionRow) -> Stored:
        saved = (
            event
            for event in self._journal.read(workflow_stream(row.tenant, row.name))
            if isinstance(event, WorkflowSaved) and event.version == version.version
        )
        definition = self._definition(version.content_hash)
        source = next(saved).source
        return Stored(row=row, version=version, definition=definition, source=source or as_yaml(definition))

    def _definition(self, content_hash: str) -> Definition:
        events = self._journal.read(content_hash)
        stored = next((event for event in events if isinstance(event, DefinitionStored)), None)
        if stored is None:
            raise NotFound(f"The definition {content_hash[:12]} is not stored.", code="definition_not_found")
        return stored_definition(stored.definition)

    def _version(self, row: WorkflowRow, version: int) -> VersionRow:
        versions = self._workflows.versions(row.tenant, row.name)
        for one in versions:
            if one.version == version:
                return one
        raise NotFound(
            f"{row.name!r} has no version {version}; it has 1 to {len(versions)}.", code="version_not_found"
        )

    def _in_state(self, tenant: str, name: str, state: str) -> WorkflowRow:
        row = self.find(tenant, name)
        if row.state != state:
            raise Conflict(f"The workflow {row.name!r} is {row.state} already.")
        return row


def short_name(name: str) -> str:
    """`ai-powered-content-creation` for `AI-Powered Content Creation`: what files and commands call it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "workflow"


def _bounded(note: str) -> str:
    if len(note) > NOTE_LENGTH_MAX:
        raise InvalidInput(
            f"The note has {len(note)} characters.", fix=f"At most {NOTE_LENGTH_MAX}.", field="note"
        )
    return note
