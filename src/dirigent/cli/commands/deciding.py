"""`dirigent approve`, `reject` and `edit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from dirigent.cli.failures import DONE
from dirigent.cli.options import DEFAULT, Common, key_values
from dirigent.cli.screen import Screen

if TYPE_CHECKING:
    from dirigent.ports import ApprovalRow
    from dirigent.settings import Settings

HINT = "Decisions that were taken stand; `dirigent resume` goes on with what follows from them."

Ids = Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)]
All = Annotated[str | None, Parameter(name="--all", help="Everything open of this execution.")]
As = Annotated[
    str | None,
    Parameter(name="--as", negative=(), help="Who decides; else DIRIGENT_ACTOR, else the name of the user."),
]
Comment = Annotated[str, Parameter(show_default=False, help="Kept with the decision.")]


def approve_command(
    approval_ids: Ids = (),
    /,
    *,
    all_of: All = None,
    comment: Comment = "",
    actor: As = None,
    allow_delivery: Annotated[
        bool, Parameter(negative=(), help="Delivery is on for this command: what is held may leave.")
    ] = False,
    common: Common = DEFAULT,
) -> int:
    """Approve.

    Parameters
    ----------
    approval_ids
        As `dirigent approvals` gives them.
    """
    settings = common.settings(actor=actor, allow_delivery=True if allow_delivery else None)
    return _decide(settings, common.screen(), approval_ids, all_of, "approve", comment)


def reject_command(
    approval_ids: Ids = (),
    /,
    *,
    all_of: All = None,
    comment: Comment = "",
    actor: As = None,
    common: Common = DEFAULT,
) -> int:
    """Reject.

    Parameters
    ----------
    approval_ids
        As `dirigent approvals` gives them.
    """
    return _decide(common.settings(actor=actor), common.screen(), approval_ids, all_of, "reject", comment)


def edit_command(
    approval_id: str,
    /,
    *,
    input: Annotated[
        tuple[str, ...],
        key_values("What is to be different"),
    ],
    comment: Comment = "",
    actor: As = None,
    common: Common = DEFAULT,
) -> int:
    """Edit.

    Parameters
    ----------
    approval_id
        As `dirigent approvals` gives it.
    """
    from dirigent.cli.interruption import interruptible
    from dirigent.cli.workflow_input import read_input

    screen = common.screen()
    work = _edit(common.settings(actor=actor), screen, approval_id, read_input(input), comment)
    return interruptible(work, screen, HINT)


def _decide(
    settings: Settings, screen: Screen, ids: tuple[str, ...], all_of: str | None, decision: str, comment: str
) -> int:
    from dirigent.bootstrap.beside import reading
    from dirigent.cli.interruption import interruptible

    with reading(settings) as books:
        rows = _wanted(books.engine, ids, all_of)
    if not rows:
        screen.say(f"Nothing of {all_of} waits for a decision.")
        return DONE
    return interruptible(_decide_rows(settings, screen, rows, decision, comment), screen, HINT)


def _wanted(engine: Any, ids: tuple[str, ...], all_of: str | None) -> list[ApprovalRow]:
    from dirigent.domain.errors import InvalidInput

    if bool(ids) == bool(all_of):
        raise InvalidInput(
            "Which approvals?" if not ids else "Name approvals, or --all EXECUTION, not both.",
            fix="Name them, or give --all EXECUTION; `dirigent approvals` lists what is open.",
        )
    if all_of:
        engine.row(all_of)
        found: list[ApprovalRow] = engine.approvals(execution=all_of)
        return found
    return [engine.approval(approval_id) for approval_id in dict.fromkeys(ids)]


async def _decide_rows(
    settings: Settings, screen: Screen, rows: list[ApprovalRow], decision: str, comment: str
) -> int:
    from dirigent.bootstrap import Dirigent
    from dirigent.bootstrap.beside import Books, reading
    from dirigent.cli.decisions import Here, There, decide_all, roots_of, tell_decided
    from dirigent.cli.remote import serving
    from dirigent.cli.watching import PATIENCE_MS

    ids = [row.approval_id for row in rows]
    server = serving(settings)
    if server is not None:
        if settings.allow_delivery:
            screen.warn(f"note: {server.url} has its own switch: `dirigent serve --allow-delivery`.")
        decided = await decide_all(There(server=server, settings=settings), ids, decision, comment)
        with reading(settings) as books:
            return tell_decided(screen, books, decided)
    async with Dirigent(settings=settings) as dirigent:
        decided = await decide_all(Here(dirigent=dirigent), ids, decision, comment)
        for root in roots_of(rows):
            await dirigent.engine.wait_rest(root, patience_ms=PATIENCE_MS)
        return tell_decided(screen, Books(engine=dirigent.engine, records=dirigent.records), decided)


async def _edit(
    settings: Settings, screen: Screen, approval_id: str, changed: dict[str, Any], comment: str
) -> int:
    from dirigent.bootstrap import Dirigent
    from dirigent.bootstrap.beside import reading
    from dirigent.cli.remote import serving

    with reading(settings) as books:
        row = books.engine.approval(approval_id)
    inputs = {**row.preview, **changed}
    server = serving(settings)
    if server is not None:
        server.edit(approval_id, inputs, settings.actor, comment)
        return _tell_edited(screen, approval_id, [])
    async with Dirigent(settings=settings) as dirigent:
        engine = dirigent.engine
        await engine.edit(approval_id, inputs, settings.actor, comment)
        await engine.wait_rest(row.execution_id.partition("/")[0])
        asked = [new for new in engine.approvals(execution=row.execution_id) if new.step == row.step]
        return _tell_edited(screen, approval_id, [new.approval_id for new in asked])


def _tell_edited(screen: Screen, approval_id: str, asked: list[str]) -> int:
    if screen.json:
        screen.document({"approval_id": approval_id, "state": "edited", "asked": asked})
    screen.say(
        f"{approval_id} is edited: what it asked for is not done; the edited action is asked for anew."
    )
    for new in asked:
        screen.say(f"Decide: dirigent approvals show {new}")
    if not asked:
        screen.say("Look: dirigent approvals")
    return DONE
