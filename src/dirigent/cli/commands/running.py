"""`dirigent run` and `dirigent resume`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from dirigent.cli.failures import DONE, FAILED
from dirigent.cli.options import DEFAULT, Common, key_values
from dirigent.cli.screen import Screen

if TYPE_CHECKING:
    from dirigent.bootstrap import Dirigent
    from dirigent.cli.progress import RunProgress
    from dirigent.cli.remote import Server
    from dirigent.domain.policy import Autonomy
    from dirigent.domain.workflow import Definition
    from dirigent.interpreter.reading import Reading
    from dirigent.ports import ExecutionRow
    from dirigent.settings import Settings

    Beginning = Callable[[], Awaitable[tuple[str, Definition]]]

HINT = "Nothing is lost: `dirigent resume` goes on where it stopped."
SERVER_DELIVERS = "the server says whether messages leave; `dirigent serve --allow-delivery` lets them."


def run_command(
    workflow: Path,
    /,
    *,
    input: Annotated[
        tuple[str, ...],
        key_values(),
    ] = (),
    org: Annotated[str | None, Parameter(help="For which tenant; else the default one.")] = None,
    autonomy: Annotated[
        Literal["L0", "L1", "L2", "L3"] | None, Parameter(help="How much it may do by itself.")
    ] = None,
    allow_delivery: Annotated[
        bool, Parameter(negative=(), help="Let approved messages leave; else they are held.")
    ] = False,
    common: Common = DEFAULT,
) -> int:
    """Run a workflow.

    Parameters
    ----------
    workflow
        A YAML or JSON file.
    """
    from dirigent.cli.interruption import interruptible
    from dirigent.cli.remote import serving
    from dirigent.cli.workflow_input import read_input
    from dirigent.intake.workflows import read_text

    settings = common.settings(allow_delivery=True if allow_delivery else None)
    given = read_input(input)
    if (server := serving(settings)) is not None:
        if allow_delivery:
            common.screen().warn(f"note: {SERVER_DELIVERS}")
        wanted = {"definition": read_text(workflow), "input": given, "org_id": org or settings.tenant}
        return follow_there(
            server, settings, common.screen(), wanted, autonomy=autonomy, source=str(workflow)
        )

    def begin(dirigent: Dirigent) -> Beginning:
        definition = dirigent.workflow(workflow)

        async def start() -> tuple[str, Definition]:
            level = level_of(autonomy)
            for note in _starts_what_is_not_stored(dirigent, definition, org or settings.tenant):
                common.screen().warn(note)
            started = await dirigent.intake.run_workflow(definition, given, tenant=org, autonomy=level)
            return started, definition

        return start

    work = run_and_watch(settings, common.screen(), begin, autonomy=autonomy)
    return interruptible(work, common.screen(), HINT)


def _starts_what_is_not_stored(dirigent: Dirigent, definition: Definition, tenant: str) -> Iterator[str]:
    """What to say of each step that names a workflow which is not there now, and would fail."""
    from dirigent.domain.errors import NotFound

    for step in definition.every_step():
        if not step.workflow or "${" in step.workflow:
            continue
        try:
            dirigent.library.find(tenant, step.workflow)
        except NotFound:
            yield (
                f"note: {step.id} starts the workflow {step.workflow!r}, and there is none yet;"
                " `dirigent workflow save FILE` stores one."
            )


def level_of(autonomy: str | None) -> Autonomy | None:
    """The level that was asked for; None leaves it to the configuration."""
    from dirigent.domain.policy import Autonomy

    return Autonomy(autonomy) if autonomy else None


def resume_command(
    execution_id: str | None = None,
    /,
    *,
    common: Common = DEFAULT,
) -> int:
    """Take up what was interrupted or paused.

    Parameters
    ----------
    execution_id
        Only this one is shown, and it goes on where it was paused; else every one that had not ended.
    """
    from dirigent.cli.interruption import interruptible

    return interruptible(_resume(common.settings(), common.screen(), execution_id), common.screen(), HINT)


async def run_and_watch(
    settings: Settings,
    screen: Screen,
    begin: Callable[[Dirigent], Beginning],
    *,
    autonomy: str | None = None,
) -> int:
    """Start something and show it until it rests; what `begin` finds wrong comes before a folder is made.

    Where the run may do less by itself than was asked for with `autonomy`, that is said.
    """
    from dirigent.bootstrap import Dirigent
    from dirigent.cli.progress import RunProgress
    from dirigent.cli.watching import watch_and_tell

    progress = RunProgress()
    closed = Dirigent(settings=settings, progress=progress.tell)
    start = begin(closed)
    async with closed as dirigent:
        execution_id, definition = await start()
        _say_allowed(screen, autonomy, dirigent.engine.read(execution_id))
        progress.follow(execution_id, [step.id for step in definition.steps])
        return await watch_and_tell(dirigent, screen, progress, resumed=False)


def follow_there(
    server: Server,
    settings: Settings,
    screen: Screen,
    wanted: dict[str, Any],
    *,
    autonomy: str | None = None,
    source: str = "",
) -> int:
    """Have the server that holds the folder start a workflow, and show it as if it ran here.

    `wanted` is the request without who asks and how; mistakes in its definition are told of `source`.
    """
    from dirigent.cli.interruption import interruptible

    asked = {**wanted, "trigger_type": "manual", "autonomy": autonomy, "actor": settings.actor}
    hint = f"The run goes on in the server; `dirigent ls` shows it, {server.url} too."
    return interruptible(_follow(server, settings, screen, asked, source), screen, hint)


async def _follow(
    server: Server, settings: Settings, screen: Screen, asked: dict[str, Any], source: str
) -> int:
    from dirigent.bootstrap.beside import reading
    from dirigent.cli.progress import RunProgress
    from dirigent.cli.remote import serving
    from dirigent.cli.telling import tell
    from dirigent.cli.watching import GOOD, watch_from_outside

    execution_id = server.execute(asked, source)["execution_id"]
    screen.say(f"{server.url} holds {settings.data_folder}; it runs the workflow.")
    screen.say(f"execution {execution_id}")
    with reading(settings) as books:
        found, progress = books.engine.read(execution_id), RunProgress()
        _say_allowed(screen, asked["autonomy"], found)
        progress.follow(execution_id, [step.id for step in books.engine.definition_of(found).steps])
        await watch_from_outside(books, screen, progress, lambda: serving(settings) is not None)
        return DONE if tell(screen, books, execution_id) in GOOD else FAILED


def _say_allowed(screen: Screen, autonomy: str | None, found: Reading) -> None:
    allowed = found.started.passport.autonomy
    if autonomy is not None and autonomy != allowed:
        screen.warn(f"note: {autonomy} was asked for; the tenant allows no more than {allowed}.")


async def _resume(settings: Settings, screen: Screen, execution_id: str | None) -> int:
    from dirigent.bootstrap import Dirigent
    from dirigent.bootstrap.beside import need_journal
    from dirigent.cli.progress import RunProgress
    from dirigent.cli.remote import serving
    from dirigent.cli.steering import tell_status
    from dirigent.cli.watching import watch_and_tell

    need_journal(settings.data_folder)
    server = serving(settings)
    if server is not None and execution_id is None:
        if screen.json:
            screen.document([])
        screen.say(
            f"{server.url} holds {settings.data_folder}; it took up what was interrupted when it began."
        )
        screen.say("See dirigent ls. What was paused goes on with dirigent resume ID.")
        return DONE
    if server is not None and execution_id is not None:
        answer = server.steer(execution_id, "resume", {"actor": settings.actor})
        return tell_status(screen, execution_id, answer["status"])
    progress = RunProgress()
    async with Dirigent(settings=settings, progress=progress.tell) as dirigent:
        if execution_id is not None:
            row = dirigent.engine.row(execution_id)
            if row.paused:
                await dirigent.engine.resume(execution_id, settings.actor)
            progress.follow(row.execution_id)
            return await watch_and_tell(dirigent, screen, progress, resumed=True)
        return await _resume_all(dirigent, screen, progress)


async def _resume_all(dirigent: Dirigent, screen: Screen, progress: RunProgress) -> int:
    from dirigent.cli.execution_report import list_executions
    from dirigent.cli.watching import GOOD, UNDER_WAY, rests_at_once, watch

    resumed = [execution_id for execution_id in dirigent.resumed if "/" not in execution_id]
    resting = [root for root in resumed if await rests_at_once(dirigent.engine, root)]
    roots = [
        root for root in resumed if root not in resting or dirigent.engine.row(root).status not in UNDER_WAY
    ]
    for root in roots:
        progress.follow(root)
        await watch(dirigent, screen, progress, resumed=True)
    rows = [dirigent.engine.row(root) for root in roots]
    if screen.json:
        screen.document(rows)
        return DONE if all(row.status in GOOD for row in rows) else FAILED
    if rows:
        screen.show(list_executions(rows, screen.console.width))
    else:
        screen.say("Nothing was interrupted.")
    left = [row for root in resumed if (row := dirigent.engine.row(root)).status in UNDER_WAY]
    _tell_what_waits(screen, dirigent, left)
    return DONE if all(row.status in GOOD for row in rows) else FAILED


def _tell_what_waits(screen: Screen, dirigent: Dirigent, rows: Sequence[ExecutionRow]) -> None:
    """How many executions wait for what, and where to see which."""
    unclear = {row.execution_id.partition("/")[0] for row in dirigent.engine.unknown_outcomes()}
    waiting = Counter(
        "" if row.execution_id in unclear and row.status != "awaiting_approval" else row.status
        for row in rows
    )
    if people := waiting.pop("awaiting_approval", 0):
        screen.say(f"Waiting for a person: {people}. See dirigent approvals")
    if asked := waiting.pop("", 0):
        screen.say(f"Waiting for word on what was sent: {asked}. See dirigent outcomes")
    for status, number in sorted(waiting.items()):
        screen.say(f"Waiting for an event, a time or a signal: {number}. See dirigent ls --status {status}")
