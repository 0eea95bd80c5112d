"""The store of workflows over both journals: versions, rollback, pause, and the way out and in."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dirigent.domain.errors import Conflict, InvalidDefinition, InvalidInput, NotFound
from dirigent.domain.workflow import Definition
from dirigent.intake.library.archive import CONTENTS, archived, export_all, import_all
from dirigent.intake.library.store import WorkflowStore, short_name
from dirigent.interpreter.loading import load_definition
from dirigent.ports import Journal, WorkflowRow
from dirigent.storage.sqlite.journal import SqliteJournal
from dirigent.storage.sqlite.workflows import SqliteWorkflows
from dirigent.testing.frozen_clock import FrozenClock
from dirigent.testing.memory_journal import MemoryJournal
from dirigent.testing.memory_workflows import MemoryWorkflows

TENANT = "org_1"
FIRST = "# greets\nname: Say Hello\nsteps:\n  - {id: a, type: transform, parameters: {text: Hello}}\n"
SECOND = FIRST.replace("Hello}", "Good day}")
OTHER = "name: other\nsteps:\n  - {id: b, type: transform}\n"
ACTIONS = {"notifier": {"send"}}


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[WorkflowStore]:
    journal: Journal
    if request.param == "memory":
        journal = MemoryJournal()
        yield WorkflowStore(journal, MemoryWorkflows(journal), FrozenClock(), actions=ACTIONS)
    else:
        journal = SqliteJournal.open(tmp_path / "data")
        workflows = SqliteWorkflows(tmp_path / "data")
        yield WorkflowStore(journal, workflows, FrozenClock(), actions=ACTIONS)
        workflows.close()
    await journal.close()


def new_store() -> WorkflowStore:
    journal = MemoryJournal()
    return WorkflowStore(journal, MemoryWorkflows(journal), FrozenClock())


async def two_versions(store: WorkflowStore) -> None:
    await store.save(FIRST, tenant=TENANT, actor="ann", note="first")
    await store.save(SECOND, tenant=TENANT, actor="bob", note="second")


async def test_saving_makes_versions(store: WorkflowStore) -> None:
    """Each new content is a new version, with who, when and why; the newest is in force."""
    saved = await store.save(FIRST, tenant=TENANT, actor="ann", note="first")
    assert (saved.name, saved.version, saved.is_new) == ("Say Hello", 1, True)
    assert (await store.save(SECOND, tenant=TENANT, actor="bob")).version == 2
    row = store.find(TENANT, "Say Hello")
    assert (row.version, row.versions, row.state, row.changed_by) == (2, 2, "active", "bob")
    assert [(one.version, one.saved_by, one.note) for one in store.versions(TENANT, "Say Hello")] == [
        (1, "ann", "first"),
        (2, "bob", ""),
    ]


async def test_the_same_content_is_the_same_version(store: WorkflowStore) -> None:
    """However it is written: other comments, other order of keys, as data or as a definition."""
    first = await store.save(FIRST, tenant=TENANT, actor="ann")
    for again in (
        FIRST,
        "steps: [{type: transform, id: a, parameters: {text: 'Hello'}}]\nname: Say Hello\n",
        {"name": "Say Hello", "steps": [{"id": "a", "type": "transform", "parameters": {"text": "Hello"}}]},
        load_definition(FIRST),
    ):
        saved = await store.save(again, tenant=TENANT, actor="bob")
        assert (saved.version, saved.content_hash, saved.is_new) == (1, first.content_hash, False)
    assert store.find(TENANT, "Say Hello").changed_by == "ann"


async def test_a_version_is_given_back_as_it_was_written(store: WorkflowStore) -> None:
    """The text comes back with its comments; what came as data comes back as YAML."""
    await two_versions(store)
    assert store.get(TENANT, "Say Hello", 1).source == FIRST
    assert store.get(TENANT, "Say Hello").source == SECOND
    assert store.get(TENANT, "Say Hello", 1).definition == load_definition(FIRST)
    await store.save(load_definition(OTHER), tenant=TENANT, actor="ann")
    assert load_definition(store.get(TENANT, "other").source) == load_definition(OTHER)


async def test_rollback_puts_another_version_in_force(store: WorkflowStore) -> None:
    """Rolling back is on record and loses nothing; saving known content does the same."""
    await two_versions(store)
    row = await store.rollback(TENANT, "Say Hello", 1, actor="cleo", note="too formal")
    assert (row.version, row.versions, row.changed_by, row.note) == (1, 2, "cleo", "too formal")
    assert store.get(TENANT, "Say Hello").source == FIRST
    with pytest.raises(Conflict, match="Version 1 of 'Say Hello' is in force already"):
        await store.rollback(TENANT, "Say Hello", 1, actor="cleo")
    with pytest.raises(NotFound, match="has no version 3; it has 1 to 2"):
        await store.rollback(TENANT, "Say Hello", 3, actor="cleo")
    again = await store.save(SECOND, tenant=TENANT, actor="bob")
    assert (again.version, again.is_new) == (2, False)
    assert store.find(TENANT, "Say Hello").version == 2


async def test_a_paused_workflow_is_not_startable(store: WorkflowStore) -> None:
    """It can be looked at and changed; whoever wants to start it hears who paused it."""
    await two_versions(store)
    assert (await store.pause(TENANT, "Say Hello", actor="ann", reason="holidays")).state == "paused"
    with pytest.raises(Conflict, match="paused by ann") as caught:
        store.startable(TENANT, "Say Hello")
    assert caught.value.fix == "`dirigent workflow resume say-hello` lets it start again."
    with pytest.raises(Conflict, match="is paused already"):
        await store.pause(TENANT, "Say Hello", actor="ann")
    assert store.get(TENANT, "Say Hello").version.version == 2
    await store.resume(TENANT, "Say Hello", actor="ann")
    assert store.startable(TENANT, "Say Hello", 1).source == FIRST
    with pytest.raises(Conflict, match="is active already"):
        await store.resume(TENANT, "Say Hello", actor="ann")


async def test_differences_between_versions(store: WorkflowStore) -> None:
    """What changed, in the words of the format and as text, in both directions."""
    await two_versions(store)
    found = store.diff(TENANT, "Say Hello", 1)
    assert [str(change) for change in found.changes] == ["~ steps.a.parameters.text: 'Hello' -> 'Good day'"]
    assert "-        text: Hello\n+        text: Good day\n" in found.text
    assert "--- Say Hello 1\n+++ Say Hello 2\n" in found.text
    back = store.diff(TENANT, "Say Hello", 2, 1)
    assert [(change.before, change.after) for change in back.changes] == [("Good day", "Hello")]
    assert store.diff(TENANT, "Say Hello", 2, 2).text == ""


async def test_workflows_are_found_by_name_and_short_name(store: WorkflowStore) -> None:
    """Commands need not spell capitals and spaces; a name that is not there names the nearest."""
    await store.save(FIRST, tenant=TENANT, actor="ann")
    for name in ("Say Hello", "say-hello", "SAY HELLO"):
        assert store.find(TENANT, name).name == "Say Hello"
    with pytest.raises(NotFound, match="Did you mean 'Say Hello'") as caught:
        store.find(TENANT, "Say Helo")
    assert caught.value.code == "workflow_not_found"
    await store.save(FIRST.replace("Say Hello", "say hello"), tenant=TENANT, actor="ann")
    with pytest.raises(NotFound, match="'Say Hello', 'say hello'"):
        store.find(TENANT, "say-hello")
    assert short_name("AI-Powered Content Creation") == "ai-powered-content-creation"


async def test_tenants_are_apart(store: WorkflowStore) -> None:
    """The same name is another workflow for another tenant."""
    await two_versions(store)
    await store.save(OTHER.replace("other", "Say Hello"), tenant="org_2", actor="dan")
    assert store.find("org_2", "Say Hello").versions == 1
    assert [row.name for row in store.rows("org_2")] == ["Say Hello"]
    assert len(store.rows()) == 2
    with pytest.raises(NotFound):
        store.find("org_3", "Say Hello")


async def test_what_does_not_load_is_not_stored(store: WorkflowStore) -> None:
    """Mistakes, unknown agents, taken names and endless notes are refused, and nothing is kept."""
    with pytest.raises(InvalidDefinition, match=r"flow.yaml:1:1 WF007"):
        await store.save("name: x\n", tenant=TENANT, actor="ann", source="flow.yaml")
    with pytest.raises(InvalidDefinition, match="WF022"):
        await store.save(
            "name: x\nsteps: [{id: a, type: agent, agent: nobody, action: act}]\n", tenant=TENANT, actor="ann"
        )
    with pytest.raises(InvalidInput, match="'goal' is the name of a workflow that comes with Dirigent"):
        await store.save(OTHER.replace("other", "goal"), tenant=TENANT, actor="ann")
    with pytest.raises(InvalidInput, match="note has 2001 characters"):
        await store.save(OTHER, tenant=TENANT, actor="ann", note="x" * 2001)
    assert store.rows() == []


async def test_many_savers_at_once_lose_nothing(store: WorkflowStore) -> None:
    """Versions are numbered one after the other, whoever was quicker."""
    texts = [FIRST.replace("Hello}", f"Hello {number}}}") for number in range(20)]
    saved = await asyncio.gather(*(store.save(text, tenant=TENANT, actor="ann") for text in texts))
    assert sorted(one.version for one in saved) == list(range(1, 21))
    hashes = {one.version: one.content_hash for one in saved}
    assert all(hashes[row.version] == row.content_hash for row in store.versions(TENANT, "Say Hello"))


async def test_changes_are_told(store: WorkflowStore) -> None:
    """Whoever keeps triggers at work hears of each change with the definition in force."""
    told: list[tuple[str, int, str, str]] = []

    def note(row: WorkflowRow, definition: Definition) -> None:
        told.append((row.name, row.version, row.state, definition.steps[0].parameters["text"]))

    journal = MemoryJournal()
    listened = WorkflowStore(journal, MemoryWorkflows(journal), FrozenClock(), changed=note)
    await two_versions(listened)
    await listened.save(SECOND, tenant=TENANT, actor="bob")
    await listened.rollback(TENANT, "Say Hello", 1, actor="ann")
    await listened.pause(TENANT, "Say Hello", actor="ann")
    assert told == [
        ("Say Hello", 1, "active", "Hello"),
        ("Say Hello", 2, "active", "Good day"),
        ("Say Hello", 1, "active", "Hello"),
        ("Say Hello", 1, "paused", "Hello"),
    ]


# --- out and in --------------------------------------------------------------------------------------------


def told(store: WorkflowStore) -> list[object]:
    """Everything a store says, save for when and by whom."""
    return [
        (
            row.name,
            row.version,
            row.state,
            [(v.version, v.content_hash, v.note) for v in store.versions(row.tenant, row.name)],
            [store.get(row.tenant, row.name, v.version).source for v in store.versions(row.tenant, row.name)],
        )
        for row in store.rows(TENANT)
    ]


async def filled(store: WorkflowStore) -> None:
    await two_versions(store)
    await store.rollback(TENANT, "Say Hello", 1, actor="ann")
    await store.save(OTHER, tenant=TENANT, actor="ann", note="ünï ☃\nsecond line")
    await store.pause(TENANT, "other", actor="ann")
    await store.save(FIRST.replace("Say Hello", "say hello"), tenant=TENANT, actor="ann")


@pytest.mark.parametrize("target", ["folder", "all.zip"])
async def test_export_wipe_and_import_is_equal(store: WorkflowStore, tmp_path: Path, target: str) -> None:
    """Names, versions, notes, texts, what is in force and what is paused come back as they were."""
    await filled(store)
    assert export_all(store, TENANT, tmp_path / target) == 3
    empty = new_store()
    saved = await import_all(empty, TENANT, tmp_path / target, actor="eve")
    assert len(saved) == 4
    assert told(empty) == told(store)
    assert archived(empty, TENANT) == archived(store, TENANT)


async def test_importing_again_changes_nothing(store: WorkflowStore, tmp_path: Path) -> None:
    """What is there already is not saved twice."""
    await filled(store)
    export_all(store, TENANT, tmp_path / "all.zip")
    before = told(store)
    saved = await import_all(store, TENANT, tmp_path / "all.zip", actor="eve")
    assert not any(one.is_new for one in saved)
    assert told(store) == before


async def test_the_same_workflows_give_the_same_archive(store: WorkflowStore, tmp_path: Path) -> None:
    """An export can be compared and kept under version control."""
    await filled(store)
    export_all(store, TENANT, tmp_path / "a.zip")
    export_all(store, TENANT, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert sorted(zipfile.ZipFile(tmp_path / "a.zip").namelist()) == [
        CONTENTS,
        "other.v1.yaml",
        "say-hello-2.v1.yaml",
        "say-hello.v1.yaml",
        "say-hello.v2.yaml",
    ]


async def test_a_folder_of_files_is_taken_in(tmp_path: Path) -> None:
    """Without a list of contents each file is one workflow."""
    (tmp_path / "a.yaml").write_text(FIRST)
    (tmp_path / "b.yaml").write_text(OTHER)
    store = new_store()
    saved = await import_all(store, TENANT, tmp_path, actor="eve")
    assert [(one.name, one.version) for one in saved] == [("Say Hello", 1), ("other", 1)]


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("say-hello.v1.yaml", "Hello}", "Hi}", "say-hello.v1.yaml is not the version of 'Say Hello'"),
        ("say-hello.v1.yaml", "name: Say Hello", "name: Hallo", "is not the version of 'Say Hello'"),
        (CONTENTS, "say-hello.v2.yaml", "gone.yaml", "names gone.yaml, which is not there"),
        (CONTENTS, "in_force: 2", "in_force: 9", "'Say Hello' has no version 9"),
        (CONTENTS, "format: 1", "format: 2", "is of format 2, not 1"),
        (CONTENTS, "name: Say Hello", "nme: Say Hello", "cannot be read"),
        (CONTENTS, "format: 1", "format: [", "cannot be read"),
    ],
)
async def test_an_archive_that_was_changed_is_refused_whole(tmp_path: Path, file, old, new, told) -> None:
    """What is not what it is said to be is named, and nothing is taken in."""
    store = new_store()
    await two_versions(store)
    export_all(store, TENANT, tmp_path / "out")
    changed = tmp_path / "out" / file
    text = changed.read_text()
    assert old in text
    changed.write_text(text.replace(old, new))
    empty = new_store()
    with pytest.raises(InvalidInput) as caught:
        await import_all(empty, TENANT, tmp_path / "out", actor="eve")
    assert told in caught.value.message
    assert empty.rows() == []


async def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    """A missing file, a file that is no archive, a folder in use: each says so."""
    store = new_store()
    with pytest.raises(NotFound, match="There is no folder or file"):
        await import_all(store, TENANT, tmp_path / "nothing.zip", actor="eve")
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(InvalidInput, match=r"is no .zip file"):
        await import_all(store, TENANT, tmp_path / "text.zip", actor="eve")
    with pytest.raises(InvalidInput, match="is not an empty folder"):
        export_all(store, TENANT, tmp_path)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.yaml", "x" * 300 * 1024)
    with pytest.raises(InvalidInput, match=r"a.yaml is larger than 256 KB"):
        await import_all(store, TENANT, tmp_path / "bomb.zip", actor="eve")
    with zipfile.ZipFile(tmp_path / "binary.zip", "w") as archive:
        archive.writestr("a.yaml", b"\xff\xfe")
    with pytest.raises(InvalidInput, match=r"a.yaml is not text in UTF-8"):
        await import_all(store, TENANT, tmp_path / "binary.zip", actor="eve")
