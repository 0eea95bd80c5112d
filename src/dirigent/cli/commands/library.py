"""`dirigent workflow`: workflows stored by name, with their versions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from cyclopts import App, Parameter

from dirigent.cli.commands.validating import validate_command
from dirigent.cli.failures import show_findings
from dirigent.cli.options import DEFAULT, Common, key_values
from dirigent.cli.screen import Screen

if TYPE_CHECKING:
    from dirigent.bootstrap import Dirigent
    from dirigent.domain.workflow import Definition
    from dirigent.intake.library.store import Library, Saved, WorkflowStore
    from dirigent.interpreter.problems import Problem
    from dirigent.settings import Settings

app = App(
    name="workflow",
    help_epilogue="Examples:\n  dirigent workflow save flow.yaml\n  dirigent workflow versions flow",
    help_format="plaintext",
)

Org = Annotated[str | None, Parameter(help="For which tenant; else the default one.")]
Note = Annotated[str, Parameter(help="Why; kept with the version.", show_default=False)]
T = TypeVar("T")


def _example(text: str) -> str:
    return f"Example:\n  dirigent workflow {text}"


@app.command(name="save", help_epilogue=_example("save flow.yaml --note 'asks twice'"))
def save_command(
    files: Annotated[list[Path], Parameter(negative=())],
    /,
    *,
    note: Note = "",
    org: Org = None,
    common: Common = DEFAULT,
) -> None:
    """Store workflow files under their names; the same content again is the same version.

    Parameters
    ----------
    files
        Workflow files, YAML or JSON.
    """
    from dirigent.intake.workflows import read_text

    settings, screen = common.settings(), common.screen()
    tenant = org or settings.tenant
    texts = [(file, read_text(file)) for file in files]
    warnings = _advice(settings, texts)
    if not screen.json:
        show_findings(screen, warnings)

    async def save(store: Library) -> list[Saved]:
        return [
            await store.save(text, tenant=tenant, actor=settings.actor, note=note, source=str(file))
            for file, text in texts
        ]

    _tell_saved(screen, _changing(settings, save))


@app.command(name="list", help_epilogue=_example("list"))
def list_command(*, org: Org = None, common: Common = DEFAULT) -> None:
    """The stored workflows, by name."""
    from dirigent.cli.screen import table

    settings, screen = common.settings(), common.screen()
    with _looking(settings) as store:
        rows = store.rows(org or settings.tenant)
    if screen.json:
        screen.document(rows)
    elif not rows:
        screen.say("No workflow is stored. Store one: dirigent workflow save FILE")
    else:
        columns = ("name", "version", "of", "state", "changed", "by", "note")
        cells = [
            (row.name, row.version, row.versions, row.state, _day(row.changed_at), row.changed_by, row.note)
            for row in rows
        ]
        screen.show(table(columns, cells, right=("version", "of")))


@app.command(name="show", help_epilogue=_example("show hello --version 2"))
def show_command(
    name: str,
    /,
    *,
    version: Annotated[int, Parameter(help="Which version; else the one in force.")] = 0,
    org: Org = None,
    common: Common = DEFAULT,
) -> None:
    """A version of a workflow as it was written.

    Parameters
    ----------
    name
        The workflow, by its name or its short name.
    """
    settings, screen = common.settings(), common.screen()
    with _looking(settings) as store:
        found = store.get(org or settings.tenant, name, version)
    if screen.json:
        from dirigent.interpreter.loading import definition_to_dict

        screen.document(
            {
                "name": found.row.name,
                "state": found.row.state,
                "in_force": found.row.version,
                "version": found.version,
                "definition": definition_to_dict(found.definition),
                "source": found.source,
            }
        )
        return
    screen.say(found.source.rstrip("\n"))


@app.command(name="versions", help_epilogue=_example("versions hello"))
def versions_command(name: str, /, *, org: Org = None, common: Common = DEFAULT) -> None:
    """Every version of a workflow, the newest first.

    Parameters
    ----------
    name
        The workflow, by its name or its short name.
    """
    from dirigent.cli.screen import table

    settings, screen = common.settings(), common.screen()
    with _looking(settings) as store:
        row = store.find(org or settings.tenant, name)
        versions = store.versions(row.tenant, row.name)[::-1]
    if screen.json:
        screen.document({"name": row.name, "in_force": row.version, "state": row.state, "versions": versions})
        return
    cells = [
        (
            one.version,
            "in force" if one.version == row.version else "",
            one.content_hash[:12],
            _day(one.saved_at),
            one.saved_by,
            one.note,
        )
        for one in versions
    ]
    screen.show(table(("version", "", "content", "saved", "by", "note"), cells, right=("version",)))
    if row.state == "paused":
        screen.say(f"{row.name} is paused by {row.changed_by}: it starts nothing. {row.note}".rstrip())


@app.command(name="diff", help_epilogue=_example("diff hello 1 2"))
def diff_command(
    name: str,
    before: int,
    after: int = 0,
    /,
    *,
    text: Annotated[bool, Parameter(negative=(), help="As lines of YAML.")] = False,
    org: Org = None,
    common: Common = DEFAULT,
) -> None:
    """What one version changed in another.

    Parameters
    ----------
    name
        The workflow, by its name or its short name.
    before
        A version.
    after
        Another; else the one in force.
    """
    settings, screen = common.settings(), common.screen()
    with _looking(settings) as store:
        found = store.diff(org or settings.tenant, name, before, after)
    if screen.json:
        screen.document(found)
    elif not found.changes:
        screen.say("Both do the same.")
    else:
        screen.say(found.text.rstrip("\n") if text else "\n".join(map(str, found.changes)))


@app.command(name="rollback", help_epilogue=_example("rollback hello 1 --note 'too many letters'"))
def rollback_command(
    name: str, version: int, /, *, note: Note = "", org: Org = None, common: Common = DEFAULT
) -> None:
    """Put another version in force; what runs stays on its own.

    Parameters
    ----------
    name
        The workflow, by its name or its short name.
    version
        The version that new executions are to take.
    """
    settings, screen = common.settings(), common.screen()
    tenant = org or settings.tenant
    row = _changing(
        settings, lambda store: store.rollback(tenant, name, version, actor=settings.actor, note=note)
    )
    _tell_row(screen, row, f"version {row.version} of {row.versions} is in force")


@app.command(name="pause", help_epilogue=_example("pause hello --reason 'over the holidays'"))
def pause_command(
    name: str,
    /,
    *,
    reason: Annotated[str, Parameter(help="Why; shown in lists.", show_default=False)] = "",
    org: Org = None,
    common: Common = DEFAULT,
) -> None:
    """Start no more executions of a workflow, by hand or by its triggers.

    Parameters
    ----------
    name
        The workflow, by its name or its short name.
    """
    settings, screen = common.settings(), common.screen()
    tenant = org or settings.tenant
    row = _changing(settings, lambda store: store.pause(tenant, name, actor=settings.actor, reason=reason))
    _tell_row(screen, row, "paused: it starts nothing; what runs goes on")


@app.command(name="resume", help_epilogue=_example("resume hello"))
def resume_command(name: str, /, *, org: Org = None, common: Common = DEFAULT) -> None:
    """Let a workflow start executions again.

    Parameters
    ----------
    name
        The workflow, by its name or its short name.
    """
    settings, screen = common.settings(), common.screen()
    tenant = org or settings.tenant
    row = _changing(settings, lambda store: store.resume(tenant, name, actor=settings.actor))
    _tell_row(screen, row, "active")


@app.command(name="export", help_epilogue=_example("export workflows.zip"))
def export_command(target: Path, /, *, org: Org = None, common: Common = DEFAULT) -> None:
    """Write every workflow with all its versions as YAML.

    Parameters
    ----------
    target
        A new or empty folder, or a .zip file.
    """
    from dirigent.intake.library.archive import export_all

    settings, screen = common.settings(), common.screen()
    with _looking(settings) as store:
        count = export_all(store, org or settings.tenant, target)
    if screen.json:
        screen.document({"target": str(target), "workflows": count})
    screen.say(f"{target}: {count} workflow{'' if count == 1 else 's'}")


@app.command(name="import", help_epilogue=_example("import workflows.zip"))
def import_command(source: Path, /, *, org: Org = None, common: Common = DEFAULT) -> None:
    """Take in what was exported, or a folder of workflow files.

    Parameters
    ----------
    source
        A folder, or a .zip file.
    """
    from dirigent.intake.library.archive import import_all

    settings, screen = common.settings(), common.screen()
    tenant = org or settings.tenant
    saved = _changing(settings, lambda store: import_all(store, tenant, source, actor=settings.actor))
    _tell_saved(screen, saved)


@app.command(name="run", help_epilogue=_example("run hello -i name=Ada"))
def run_command(
    name: str,
    /,
    *,
    input: Annotated[
        tuple[str, ...],
        key_values(),
    ] = (),
    version: Annotated[int, Parameter(help="Which version; else the one in force.")] = 0,
    org: Org = None,
    autonomy: Annotated[
        Literal["L0", "L1", "L2", "L3"] | None, Parameter(help="How much it may do by itself.")
    ] = None,
    common: Common = DEFAULT,
) -> int:
    """Run a stored workflow and wait until it has ended or waits for a person.

    Parameters
    ----------
    name
        The workflow, by its name or its short name.
    """
    from dirigent.cli.commands.running import HINT, follow_there, level_of, run_and_watch
    from dirigent.cli.interruption import interruptible
    from dirigent.cli.remote import serving
    from dirigent.cli.workflow_input import read_input

    settings, screen = common.settings(), common.screen()
    given, tenant = read_input(input), org or settings.tenant
    if (server := serving(settings)) is not None:
        wanted = {"workflow_id": name, "input": given, "version": version or None, "org_id": tenant}
        return follow_there(server, settings, screen, wanted, autonomy=autonomy)

    def begin(dirigent: Dirigent) -> Callable[[], Awaitable[tuple[str, Definition]]]:
        async def start() -> tuple[str, Definition]:
            stored = dirigent.library.get(tenant, name, version)
            number = stored.version.version
            execution_id = await dirigent.start_stored(
                name, given, tenant=tenant, version=number, autonomy=level_of(autonomy)
            )
            return execution_id, stored.definition

        return start

    work = run_and_watch(settings, screen, begin, autonomy=autonomy)
    return interruptible(work, screen, HINT)


app.command(
    validate_command,
    name="check",
    help="Check workflow files, as `dirigent validate` does.",
    help_epilogue=_example("check flow.yaml"),
)


@contextmanager
def _looking(settings: Settings) -> Iterator[WorkflowStore]:
    """The stored workflows, read beside whoever works in the folder."""
    from dirigent.bootstrap.beside import reading

    with reading(settings) as books:
        assert books.library is not None, "whoever opens the books opens the library"
        yield books.library


def _advice(settings: Settings, texts: list[tuple[Path, str]]) -> list[Problem]:
    """What there is to say about files, by the agents of whoever stores them; the first wrong one raises."""
    from dirigent.bootstrap import Dirigent
    from dirigent.cli.remote import serving

    server = serving(settings)
    if server is not None:
        return [told for file, text in texts for told in server.validate_workflow(text, str(file))]
    dirigent = Dirigent(settings=settings)
    return [told for file, _ in texts for told in dirigent.inspect(file).warnings]


def _changing(settings: Settings, change: Callable[[Library], Awaitable[T]]) -> T:
    """Change the stored workflows of a folder, through the server where one holds it."""
    import asyncio

    from dirigent.bootstrap import Dirigent
    from dirigent.bootstrap.beside import keeping_library
    from dirigent.cli.remote import serving
    from dirigent.cli.served_library import ServedLibrary

    server = serving(settings)

    async def work() -> T:
        if server is not None:
            with _looking(settings) as store:
                return await change(ServedLibrary(server, store))
        actions = Dirigent(settings=settings).registry.known_actions()
        async with keeping_library(settings, actions) as store:
            return await change(store)

    return asyncio.run(work())


def _tell_saved(screen: Screen, saved: list[Saved]) -> None:
    if screen.json:
        screen.document(saved)
    for one in saved:
        said = "new" if one.is_new else "known already"
        screen.say(f"{one.name}: version {one.version}, {said} ({one.content_hash[:12]})")


def _tell_row(screen: Screen, row: Any, said: str) -> None:
    if screen.json:
        screen.document(row)
    screen.say(f"{row.name}: {said}")


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M")
