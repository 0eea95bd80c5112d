"""`dirigent approvals`: what waits for a person, and what exactly it is about."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from dirigent.cli.options import DEFAULT, Common
from dirigent.cli.screen import Screen

if TYPE_CHECKING:
    from dirigent.domain.approval import Vote
    from dirigent.ports import ApprovalRow, Records

app = App(
    name="approvals",
    help_epilogue="Examples:\n  dirigent approvals\n  dirigent approvals show apr_0123456789ab",
    help_format="plaintext",
)


@app.default
def approvals_command(
    *,
    execution: Annotated[str | None, Parameter(help="Only this execution's and what it started.")] = None,
    org: Annotated[str | None, Parameter(help="Only this tenant's.")] = None,
    state: Annotated[
        Literal["open", "approved", "rejected", "expired", "edited", "cancelled", "all"],
        Parameter(help="Which."),
    ] = "open",
    common: Common = DEFAULT,
) -> None:
    """What waits for a person, oldest first."""
    from dirigent.bootstrap.beside import reading

    screen = common.screen()
    with reading(common.settings()) as books:
        if execution is not None:
            books.engine.row(execution)
        rows = books.engine.approvals(org, state=None if state == "all" else state, execution=execution)
        subjects = _subjects(books.records, rows)
    if screen.json:
        screen.document(rows)
    elif not rows:
        screen.say("Nothing waits for a person." if state == "open" else "There are none.")
    else:
        _show_list(screen, rows, subjects)


@app.command(
    name="show", help_epilogue="Example:\n  dirigent approvals show apr_0123456789ab", help_format="plaintext"
)
def show_command(
    approval_id: str,
    /,
    *,
    common: Common = DEFAULT,
) -> None:
    """The exact text that one approval is about.

    Parameters
    ----------
    approval_id
        As `dirigent approvals` gives it.
    """
    from dirigent.api.messages import find_message, message_named_in
    from dirigent.bootstrap.beside import reading
    from dirigent.domain.canonical import plain

    screen = common.screen()
    with reading(common.settings()) as books:
        row = books.engine.approval(approval_id)
        named = message_named_in(row.preview)
        message = find_message(books.records, row.tenant, named) if named else None
    if screen.json:
        screen.document(plain(row) | {"message": message})
    else:
        _show_one(screen, row, message)


def _subjects(records: Records, rows: list[ApprovalRow]) -> dict[str, str]:
    """By approval, the subject of the message that it is about."""
    from dirigent.api.messages import message_named_in

    named = {row.approval_id: (row.tenant, message_named_in(row.preview)) for row in rows}
    subjects: dict[tuple[str, str], str] = {}
    for tenant in {tenant for tenant, _ in named.values()}:
        ids = [message_id for whose, message_id in named.values() if whose == tenant and message_id]
        columns = ("message_id", "subject")
        found = records.fetch(tenant, "messages", where={"message_id": ids}, columns=columns) if ids else []
        subjects |= {(tenant, message["message_id"]): message["subject"] for message in found}
    return {approval_id: subjects.get(about, "") for approval_id, about in named.items()}


def _show_list(screen: Screen, rows: list[ApprovalRow], subjects: dict[str, str]) -> None:
    from dirigent.cli.execution_report import moment
    from dirigent.cli.screen import table

    shown = [
        (
            row.approval_id,
            f"{row.state} ({row.progress})" if row.progress else row.state,
            f"{row.agent}.{row.action}".strip(".") or row.step,
            row.risk,
            subjects[row.approval_id],
            row.reason,
        )
        for row in rows
    ]
    screen.show(table(("approval", "state", "what", "risk", "about", "reason"), shown, whole=("approval",)))
    if rows[0].state == "open":
        screen.say(f"{len(rows)} open; the first expires {moment(rows[0].expires_at)}.")
        screen.say(f"Read one: dirigent approvals show {rows[0].approval_id}")
        screen.say(
            f"Decide:   dirigent approve {rows[0].approval_id}{_switch(rows[0])}   or   dirigent reject …"
        )


def _show_one(screen: Screen, row: ApprovalRow, message: dict[str, Any] | None) -> None:
    from dirigent.cli.execution_report import moment
    from dirigent.cli.screen import facts, letter_text, quoted

    screen.heading(f"{row.agent}.{row.action}".strip(".") or row.step)
    screen.show(facts(_facts(row, moment)))
    if message is not None:
        same = message["sha256"] == row.preview.get("sha256", message["sha256"])
        screen.heading(f"The message, as stored ({len(message['raw'])} bytes, sha256 {message['sha256']})")
        screen.show(quoted(letter_text(message)))
        if not same:
            screen.say("These are not the bytes that were asked about; approving will not send them.")
    else:
        screen.heading("What it would be done with")
        screen.show(facts({name: _shown(value) for name, value in row.preview.items()}))
    if row.state == "open":
        screen.heading("Decide")
        screen.say(f"  dirigent approve {row.approval_id}{_decider(row)}{_switch(row)}")
        screen.say(f"  dirigent reject {row.approval_id}{_decider(row)} --comment '…'")


def _facts(row: ApprovalRow, moment: Any) -> dict[str, Any]:
    found = {
        "approval": row.approval_id,
        "state": f"{row.state} ({row.progress})" if row.progress else row.state,
        "execution": row.execution_id,
        "step": row.step,
        "tenant": row.tenant,
        "risk": row.risk,
        "why": row.reason,
        "asked": moment(row.requested_at),
        "expires": moment(row.expires_at),
    }
    if row.votes:
        found["said"] = "; ".join(_vote(vote) for vote in row.votes)
    if row.deciders.approvers or row.deciders.roles:
        found["who decides"] = ", ".join((*row.deciders.approvers, *row.deciders.roles))
    decided = {"decided": moment(row.decided_at), "by": row.decided_by, "comment": row.comment}
    return found | (decided if row.decided_at else {})


def _vote(vote: Vote) -> str:
    return f"{vote.decision} by {vote.actor}" + (f" ({vote.comment})" if vote.comment else "")


def _shown(value: Any) -> str:
    import msgspec

    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _decider(row: ApprovalRow) -> str:
    """Where certain people decide, the first of them who has not."""
    said = {vote.actor for vote in row.votes}
    left = [name for name in row.deciders.approvers if name not in said]
    return f" --as {shlex.quote(left[0])}" if left else ""


def _switch(row: ApprovalRow) -> str:
    return " --allow-delivery" if row.kind == "hold" else ""
