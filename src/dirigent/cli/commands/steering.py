"""`dirigent pause`, `signal`, `fork` and `retry`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from dirigent.cli.options import DEFAULT, Common, key_values

if TYPE_CHECKING:
    from dirigent.cli.steering import Wish
    from dirigent.engine import Engine

HINT = "What was acknowledged stands; `dirigent resume` goes on with what follows from it."

Reason = Annotated[str, Parameter(show_default=False, help="Kept in the journal.")]
Again = Annotated[
    tuple[str, ...],
    Parameter(
        negative=(),
        show_default=False,
        help="A step whose effect may be done again though nobody knows its end; as often as needed.",
    ),
]


def pause_command(
    execution_id: str,
    /,
    *,
    reason: Reason = "",
    common: Common = DEFAULT,
) -> int:
    """Pause.

    Parameters
    ----------
    execution_id
        As `dirigent ls` gives it.
    """
    from dirigent.cli.steering import Wish

    async def here(engine: Engine, actor: str) -> str:
        await engine.pause(execution_id, actor, reason)
        return execution_id

    return _asked(common, execution_id, Wish(act="pause", here=here, body={"reason": reason}))


def signal_command(
    execution_id: str,
    name: str,
    /,
    *,
    input: Annotated[
        tuple[str, ...],
        key_values("Its data"),
    ] = (),
    id: Annotated[
        str, Parameter(show_default=False, help="Told again under the same id it counts once.")
    ] = "",
    common: Common = DEFAULT,
) -> int:
    """Signal.

    Parameters
    ----------
    execution_id
        As `dirigent ls` gives it; a step of it waits for the signal, or will.
    name
        What the step waits for, such as order.paid.
    """
    from dirigent.cli.steering import Wish
    from dirigent.cli.workflow_input import read_input

    data = read_input(input) if input else None

    async def here(engine: Engine, actor: str) -> str:
        await engine.signal(execution_id, name, data, signal_id=id, sender=actor)
        return execution_id

    body = {"name": name, "data": data, "signal_id": id}
    return _asked(common, execution_id, Wish(act="signal", here=here, body=body))


def fork_command(
    execution_id: str,
    /,
    *,
    at: Annotated[
        str | None,
        Parameter(help="The step before which it is forked, or the number of an event; else its end."),
    ] = None,
    edit: Annotated[
        tuple[str, ...],
        Parameter(
            negative=(),
            show_default=False,
            help="Another output for a step: step=JSON or step=@file.json; as often as needed.",
        ),
    ] = (),
    input: Annotated[
        tuple[str, ...],
        key_values("In place of the whole input"),
    ] = (),
    again: Again = (),
    common: Common = DEFAULT,
) -> int:
    """Fork.

    Parameters
    ----------
    execution_id
        The execution whose work is taken over, finished or not.
    """
    from dirigent.cli.steering import Wish
    from dirigent.cli.workflow_input import read_input

    asked: dict[str, Any] = {
        "at": int(at) if at is not None and at.isdecimal() else at,
        "edits": read_input(edit),
        "input": read_input(input) if input else None,
        "again": list(again),
    }

    async def here(engine: Engine, actor: str) -> str:
        return await engine.fork(execution_id, actor, **asked)

    return _asked(common, execution_id, Wish(act="fork", here=here, body=asked, shown=True))


def retry_command(
    execution_id: str,
    /,
    *,
    step: Annotated[
        str | None, Parameter(help="Do this step and all behind it again; else what was left undone.")
    ] = None,
    again: Again = (),
    common: Common = DEFAULT,
) -> int:
    """Retry.

    Parameters
    ----------
    execution_id
        An execution that ended without its result.
    """
    from dirigent.cli.steering import Wish

    async def here(engine: Engine, actor: str) -> str:
        return await engine.retry(execution_id, actor, step=step, again=again)

    body = {"step": step, "again": list(again)}
    return _asked(common, execution_id, Wish(act="retry", here=here, body=body, shown=True))


def _asked(common: Common, execution_id: str, wish: Wish) -> int:
    from dirigent.cli.interruption import interruptible
    from dirigent.cli.steering import carry_out

    screen = common.screen()
    return interruptible(carry_out(common.settings(), screen, execution_id, wish), screen, HINT)
