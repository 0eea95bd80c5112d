"""`dirigent pause`, `cancel`, `signal`, `fork` and `retry`."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from dirigent.cli.options import DEFAULT, Common, key_values

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
    from dirigent.cli.steering import Wish, ask

    wish = Wish(
        act="pause",
        execution_id=execution_id,
        body={"reason": reason},
        here=lambda engine, actor: engine.pause(execution_id, actor, reason),
    )
    return ask(common, wish)


def cancel_command(
    execution_id: str,
    /,
    *,
    reason: Reason = "",
    common: Common = DEFAULT,
) -> int:
    """Cancel.

    Parameters
    ----------
    execution_id
        As `dirigent ls` gives it.
    """
    from dirigent.cli.steering import Wish, ask

    wish = Wish(
        act="cancel",
        execution_id=execution_id,
        body={"reason": reason},
        here=lambda engine, actor: engine.cancel(execution_id, actor, reason),
    )
    return ask(common, wish)


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
    from dirigent.cli.steering import Wish, ask, foreseen
    from dirigent.cli.workflow_input import read_input

    data = read_input(input) if input else None
    wish = Wish(
        act="signal",
        execution_id=execution_id,
        body={"name": name, "data": data, "signal_id": id},
        here=lambda engine, actor: engine.signal(execution_id, name, data, signal_id=id, sender=actor),
        note=foreseen(common.settings(), execution_id, name, data, id),
    )
    return ask(common, wish)


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
    from dirigent.cli.steering import Wish, ask
    from dirigent.cli.workflow_input import read_input

    asked: dict[str, Any] = {
        "at": int(at) if at is not None and at.isdecimal() else at,
        "edits": read_input(edit),
        "input": read_input(input) if input else None,
        "again": list(again),
    }
    wish = Wish(
        act="fork",
        execution_id=execution_id,
        body=asked,
        here=lambda engine, actor: engine.fork(execution_id, actor, **asked),
        shown=True,
    )
    return ask(common, wish)


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
    from dirigent.cli.steering import Wish, ask

    wish = Wish(
        act="retry",
        execution_id=execution_id,
        body={"step": step, "again": list(again)},
        here=lambda engine, actor: engine.retry(execution_id, actor, step=step, again=again),
        shown=True,
    )
    return ask(common, wish)
