"""`dirigent goal run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from dirigent.cli.failures import DONE, FAILED
from dirigent.cli.options import DEFAULT, Common
from dirigent.cli.screen import Screen

if TYPE_CHECKING:
    from dirigent.bootstrap.beside import Books
    from dirigent.cli.remote import Server
    from dirigent.intake.goals.report import GoalReport
    from dirigent.ports import ExecutionRow
    from dirigent.settings import Settings

GOOD = ("completed", "partially_completed", "awaiting_approval")


def run_command(
    goal: str,
    /,
    *,
    org: Annotated[str | None, Parameter(help="Whose goal it is; wins over the file.")] = None,
    autonomy: Annotated[
        Literal["L0", "L1", "L2", "L3"] | None,
        Parameter(help="L0 simulates, L1 asks, L2 acts inside policy and asks above it, L3 acts."),
    ] = None,
    budget: Annotated[float | None, Parameter(help="The most it may spend.")] = None,
    allow_delivery: Annotated[
        bool, Parameter(negative=(), help="Let approved messages leave; else they are held.")
    ] = False,
    again: Annotated[bool, Parameter(negative=(), help="Run it even if there is nothing new to do.")] = False,
    common: Common = DEFAULT,
) -> int:
    """Run a goal.

    Parameters
    ----------
    goal
        A JSON or YAML file, or a sentence.
    """
    from dirigent.cli.goal_input import read_goal, understood
    from dirigent.cli.interruption import interruptible
    from dirigent.cli.remote import serving

    screen = common.screen()
    settings = common.settings(allow_delivery=True if allow_delivery else None)
    payload = read_goal(goal, org=org, autonomy=autonomy, budget=budget)
    understood(payload, settings)
    server = serving(settings)
    if server is not None:
        hint = f"The run goes on in the server; `dirigent ls` shows it, {server.url} too."
        return interruptible(_run_there(server, settings, screen, payload, again=again), screen, hint)
    hint = "Nothing is lost: the same command goes on where it stopped, and so does `dirigent resume`."
    return interruptible(_run_here(settings, screen, payload, again=again), screen, hint)


async def _run_here(settings: Settings, screen: Screen, payload: dict[str, Any], *, again: bool) -> int:
    from dirigent.bootstrap import Dirigent
    from dirigent.bootstrap.beside import Books
    from dirigent.cli.earlier_runs import find_earlier
    from dirigent.cli.progress import RunProgress
    from dirigent.cli.watching import rests_at_once, watch

    progress = RunProgress()
    async with Dirigent(settings=settings, progress=progress.tell) as dirigent:
        goal = dirigent.intake.read_goal(payload)
        books = Books(engine=dirigent.engine, records=dirigent.records)

        async def rests(row: ExecutionRow) -> bool:
            return await rests_at_once(dirigent.engine, row.execution_id)

        earlier = None if again else await find_earlier(books.engine, books.records, goal, rests)
        if earlier is not None and not earlier.under_way:
            return _nothing_new(screen, books, dirigent.report(earlier.execution_id))
        if earlier is not None:
            screen.say(f"This goal is under way already; {earlier.execution_id} goes on.")
        known = earlier.execution_id if earlier else ""
        progress.follow(known or (await dirigent.submit_goal(payload)).execution_id, _stages())
        await watch(dirigent, screen, progress, resumed=earlier is not None)
        return _tell(screen, books, dirigent.report(progress.root))


async def _run_there(
    server: Server, settings: Settings, screen: Screen, payload: dict[str, Any], *, again: bool
) -> int:
    """Hand the goal to the server that holds the folder, and read its journal meanwhile."""
    from dirigent.bootstrap.beside import reading
    from dirigent.cli.earlier_runs import find_earlier
    from dirigent.cli.goal_input import understood
    from dirigent.cli.progress import RunProgress
    from dirigent.cli.remote import serving
    from dirigent.cli.watching import watch_from_outside
    from dirigent.intake.goals.report import report_goal

    async def rests(row: ExecutionRow) -> bool:
        return row.status == "awaiting_approval"

    screen.say(f"{server.url} holds {settings.data_folder}; it works on the goal.")
    payload = {"org_id": settings.tenant, "user_id": settings.actor} | payload
    progress = RunProgress()
    with reading(settings) as books:
        goal = understood(payload, settings)
        earlier = None if again else await find_earlier(books.engine, books.records, goal, rests)
        if earlier is not None and not earlier.under_way:
            return _nothing_new(screen, books, report_goal(books.engine, earlier.execution_id))
        execution_id = earlier.execution_id if earlier else server.submit_goal(payload)["execution_id"]
        progress.follow(execution_id, _stages())
        await watch_from_outside(books, screen, progress, lambda: serving(settings) is not None)
        return _tell(screen, books, report_goal(books.engine, execution_id))


def _stages() -> list[str]:
    from dirigent.intake.workflows import built_in

    return [step.id for step in built_in("goal").steps]


def _nothing_new(screen: Screen, books: Books, report: GoalReport) -> int:
    from dirigent.cli.goal_report import show_next, show_standing

    if screen.json:
        screen.document(report.as_dict() | {"nothing_new": True})
        return DONE
    screen.say("Nothing new to do: this goal was worked on, and the books have not changed since.")
    show_standing(screen, books, report)
    show_next(screen, books, report)
    screen.say()
    screen.say("Run it all the same with --again.")
    return DONE


def _tell(screen: Screen, books: Books, report: GoalReport) -> int:
    from dirigent.cli.goal_report import show_goal

    if screen.json:
        screen.document(report.as_dict() | {"nothing_new": False})
    else:
        show_goal(screen, books, report)
    return DONE if report.status in GOOD else FAILED
