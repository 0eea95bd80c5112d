"""`dirigent ls`, `show` and `logs`: they read beside whoever holds the data folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dirigent.cli.options import DEFAULT, Common

if TYPE_CHECKING:
    from dirigent.domain.event import Event
    from dirigent.ports import ExecutionRow

DETAIL_LENGTH_MAX = 200


def ls_command(
    *,
    org: Annotated[str | None, Parameter(help="Only this tenant's.")] = None,
    status: Annotated[str | None, Parameter(help="Only of this status.")] = None,
    children: Annotated[bool, Parameter(negative=(), help="Also those that others started.")] = False,
    limit: Annotated[int, Parameter(help="How many at most.")] = 20,
    common: Common = DEFAULT,
) -> None:
    """List."""
    from dirigent.bootstrap.beside import reading
    from dirigent.cli.execution_report import list_executions

    screen = common.screen()
    with reading(common.settings()) as books:
        found = books.engine.executions(org, parent=None if children else "", limit=10_000)
        rows = _matching(found, status)
    if screen.json:
        screen.document(rows[:limit])
    elif not rows:
        screen.say("There are no executions of that kind." if org or status else "Nothing has been run yet.")
        if found:
            screen.say(f"There are some that are {', '.join(sorted({row.status for row in found}))}.")
    else:
        screen.show(list_executions(rows[:limit], screen.console.width))
        if len(rows) > limit:
            screen.say(f"… {len(rows) - limit} more: --limit {len(rows)}")


def show_command(
    execution_id: str,
    /,
    *,
    all: Annotated[bool, Parameter(negative=(), help="Every lead, message and step.")] = False,
    common: Common = DEFAULT,
) -> None:
    """Show.

    Parameters
    ----------
    execution_id
        As `dirigent ls` gives it.
    """
    from dirigent.bootstrap.beside import reading
    from dirigent.cli.telling import tell

    with reading(common.settings()) as books:
        tell(common.screen(), books, execution_id, everything=all)


def logs_command(
    execution_id: str,
    /,
    *,
    common: Common = DEFAULT,
) -> None:
    """Log.

    Parameters
    ----------
    execution_id
        As `dirigent ls` gives it; a goal's work is `<id>/work`.
    """
    from dirigent.bootstrap.beside import reading
    from dirigent.cli.execution_report import WIDE, moment
    from dirigent.cli.screen import table
    from dirigent.domain.canonical import plain

    screen = common.screen()
    with reading(common.settings()) as books:
        events = books.engine.events(execution_id)
        children = books.engine.children(execution_id)
    if screen.json:
        screen.document([{"version": version, **plain(event)} for version, event in enumerate(events, 1)])
        return
    rows = [
        (version, moment(event.at), type(event).__name__, getattr(event, "step", ""), _detail(event))
        for version, event in enumerate(events, 1)
    ]
    if screen.console.width < WIDE:
        narrow = [
            (number, at, "\n".join(filter(None, (f"{of} {step}", said))))
            for number, at, of, step, said in rows
        ]
        screen.show(table(("#", "at", "what"), narrow, right=("#",), whole=("at",)))
    else:
        screen.show(table(("#", "at", "event", "step", "detail"), rows, right=("#",), whole=("at",)))
    for child in children:
        screen.say(f"It started {child.execution_id}: dirigent logs {child.execution_id}")


def _matching(rows: list[ExecutionRow], status: str | None) -> list[ExecutionRow]:
    return [row for row in rows if status in (None, row.status)]


def _detail(event: Event) -> str:
    """What is worth a line of an event: everything but its type, time and step, shortened."""
    import msgspec

    from dirigent.cli.screen import shortened
    from dirigent.domain.canonical import plain

    facts = {name: value for name, value in plain(event).items() if name not in ("type", "at", "step")}
    text = msgspec.json.encode(facts).decode() if facts else ""
    return shortened(text, DETAIL_LENGTH_MAX)
