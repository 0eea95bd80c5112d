"""`dirigent outcomes` and `resolve`: effects of which nobody knows whether they happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from dirigent.cli.options import DEFAULT, Common

if TYPE_CHECKING:
    from dirigent.cli.screen import Screen
    from dirigent.engine import Engine
    from dirigent.ports import OutcomeRow

INPUTS_LENGTH_MAX = 300


def outcomes_command(
    *,
    execution: Annotated[str | None, Parameter(help="Only this execution's and what it started.")] = None,
    org: Annotated[str | None, Parameter(help="Only this tenant's.")] = None,
    state: Annotated[
        Literal["open", "happened", "not_happened", "left", "all"],
        Parameter(help="Which; `left`: the execution ended before anybody knew."),
    ] = "open",
    common: Common = DEFAULT,
) -> None:
    """List."""
    from dirigent.bootstrap.beside import reading

    screen = common.screen()
    with reading(common.settings()) as books:
        if execution is not None:
            books.engine.row(execution)
        rows = books.engine.unknown_outcomes(
            org, state=None if state == "all" else state, execution=execution
        )
    if screen.json:
        screen.document(rows)
    elif not rows:
        screen.say("Every effect has a known end." if state == "open" else "There are none.")
    else:
        _show(screen, rows)


def resolve_command(
    execution_id: str,
    step: str,
    /,
    *,
    happened: Annotated[
        bool | None,
        Parameter(
            negative="--not-happened", show_default=False, help="Whether the effect took place outside."
        ),
    ] = None,
    look: Annotated[
        bool, Parameter(negative=(), help="Have it read back now; what is found settles it.")
    ] = False,
    result: Annotated[
        str | None,
        Parameter(help="What the step gave, as JSON or @file.json; only with --happened."),
    ] = None,
    attempt: Annotated[
        int | None, Parameter(help="The word holds for this attempt only, as `dirigent outcomes` gives it.")
    ] = None,
    common: Common = DEFAULT,
) -> int:
    """Resolve.

    Parameters
    ----------
    execution_id
        The execution whose step has the status outcome_unknown.
    step
        That step.
    """
    from dirigent.cli.steering import Wish, ask
    from dirigent.cli.workflow_input import read_value

    _check(happened=happened, look=look, result=result)
    output = read_value(result) if result is not None else None

    async def here(engine: Engine, actor: str) -> None:
        if look:
            await engine.read_back(execution_id, step, actor=actor)
        else:
            await engine.resolve(
                execution_id, step, happened=bool(happened), actor=actor, output=output, attempt=attempt
            )

    outcome = "look" if look else "happened" if happened else "not_happened"
    body: dict[str, Any] = {"step": step, "outcome": outcome, "output": output, "attempt": attempt}
    return ask(common, Wish(act="resolve", execution_id=execution_id, body=body, here=here))


def _check(*, happened: bool | None, look: bool, result: str | None) -> None:
    from dirigent.domain.errors import InvalidInput

    if (happened is not None) is look:
        raise InvalidInput(
            "Say what became of the effect." if not look else "Say what happened, or have it looked at.",
            fix="Give one of --happened, --not-happened and --look.",
        )
    if result is not None and not happened:
        raise InvalidInput("A result goes with --happened only.", fix="Leave --result out.")


def _show(screen: Screen, rows: list[OutcomeRow]) -> None:
    import msgspec

    from dirigent.cli.execution_report import moment
    from dirigent.cli.screen import facts, shortened

    for row in rows:
        screen.heading(f"{row.execution_id} {row.step}: {row.agent}.{row.action}")
        sent = shortened(msgspec.json.encode(row.inputs).decode(), INPUTS_LENGTH_MAX)
        told = {
            "state": row.state,
            "call": row.call,
            "sent": sent,
            "at": moment(row.sent_at),
            "under the key": row.key,
            "reference": row.reference,
            "attempt": row.attempt,
            "unknown since": moment(row.since),
            "read back": f"{row.looks} times" if row.lookup else "not possible",
            "settled": f"{moment(row.settled_at)} by {row.settled_by}" if row.settled_by else "",
        }
        screen.show(facts({name: value for name, value in told.items() if value}))
    if any(row.state == "open" for row in rows):
        _show_ways(screen, next(row for row in rows if row.state == "open"))


def _show_ways(screen: Screen, row: OutcomeRow) -> None:
    about = f"dirigent resolve {row.execution_id} '{row.step}'"
    ways = [(f"{about} --look", "have it read back now")] if row.lookup else []
    ways += [
        (f"{about} --happened --result '…'", "it took place, and this is what it gave"),
        (f"{about} --not-happened", "it did not; the step tries again"),
    ]
    screen.heading("Settle it")
    screen.commands(ways)
