"""Approving, rejecting and stopping: here, or through the server that holds the data folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dirigent.bootstrap import Dirigent
from dirigent.bootstrap.beside import Books
from dirigent.cli.failures import DONE, FAILED, complain
from dirigent.cli.remote import Server
from dirigent.cli.screen import Screen, table
from dirigent.domain.errors import DirigentError
from dirigent.ports import ApprovalRow
from dirigent.settings import Settings


class Decider(Protocol):
    """Whoever can carry out a person's decision."""

    async def decide(self, approval_id: str, decision: str, comment: str) -> None:
        """Approve or reject; raises where that is not possible."""
        ...


@dataclass(frozen=True, kw_only=True)
class Here:
    """This process holds the data folder."""

    dirigent: Dirigent

    async def decide(self, approval_id: str, decision: str, comment: str) -> None:
        """Approve or reject."""
        engine, actor = self.dirigent.engine, self.dirigent.settings.actor
        await (engine.approve if decision == "approve" else engine.reject)(approval_id, actor, comment)


@dataclass(frozen=True, kw_only=True)
class There:
    """A server holds the data folder. It has its own switch for delivery."""

    server: Server
    settings: Settings

    async def decide(self, approval_id: str, decision: str, comment: str) -> None:
        """Approve or reject."""
        self.server.decide(approval_id, decision, self.settings.actor, comment)


@dataclass
class Decided:
    """Which approvals were decided, and what went wrong with the others."""

    approval_ids: list[str] = field(default_factory=list)
    errors: list[DirigentError] = field(default_factory=list)


async def decide_all(decider: Decider, approval_ids: Sequence[str], decision: str, comment: str) -> Decided:
    """Decide one after the other. A single one that cannot be decided raises; of several the rest goes on."""
    decided = Decided()
    for approval_id in approval_ids:
        try:
            await decider.decide(approval_id, decision, comment)
        except DirigentError as error:
            if len(approval_ids) == 1:
                raise
            decided.errors.append(error)
        else:
            decided.approval_ids.append(approval_id)
    return decided


def tell_decided(screen: Screen, books: Books, decided: Decided) -> int:
    """Print what became of each approval, and each kind of error once; returns the exit code."""
    rows = [books.engine.approval(approval_id) for approval_id in decided.approval_ids]
    fates = [_fate(books, row) for row in rows]
    if screen.json:
        screen.document({"decided": fates, "errors": [_error(error) for error in decided.errors]})
    elif fates:
        columns = ("approval", "decision", "step", "is now", "note")
        screen.show(table(columns, [tuple(fate.values()) for fate in fates], whole=("approval",)))
    for (message, fix), number in _kinds(decided.errors):
        complain(screen, message if number == 1 else f"{number} times: {message}", fix)
    return FAILED if decided.errors else DONE


def roots_of(rows: Iterable[ApprovalRow]) -> list[str]:
    """The executions at the top of those that asked."""
    return list(dict.fromkeys(row.execution_id.partition("/")[0] for row in rows))


def _fate(books: Books, row: ApprovalRow) -> dict[str, str]:
    step = books.engine.read(row.execution_id).steps.get(row.step)
    note = step.error.message if step and step.error else (step.reason if step else "")
    return {
        "approval_id": row.approval_id,
        "decision": f"{row.state} ({row.progress})" if row.progress else row.state,
        "step": f"{row.execution_id}: {row.step}",
        "status": step.status if step else "",
        "note": note,
    }


def _kinds(errors: Iterable[DirigentError]) -> list[tuple[tuple[str, str], int]]:
    """Errors that differ only in the ids they name are told once."""
    first: dict[tuple[str, str], tuple[str, str]] = {}
    counted: Counter[tuple[str, str]] = Counter()
    for error in errors:
        kind = (error.code, error.fix)
        first.setdefault(kind, (error.message, error.fix))
        counted[kind] += 1
    return [(first[kind], number) for kind, number in counted.items()]


def _error(error: DirigentError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "fix": error.fix}
