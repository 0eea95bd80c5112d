"""Whether the lists say what the journal says: S21."""

from __future__ import annotations

from collections.abc import Sequence

from dirigent.ports import ApprovalRow, ExecutionRow
from dirigent.testing.invariants.findings import Findings
from dirigent.testing.invariants.history import History
from dirigent.testing.memory_projections import MemoryProjections


def check_projections(
    history: History,
    executions: Sequence[ExecutionRow],
    approvals: Sequence[ApprovalRow],
    findings: Findings,
) -> None:
    """Fold the whole journal anew and compare every row."""
    rebuilt = MemoryProjections(history.journal)
    expected = rebuilt.executions(limit=len(history.executions) + 1)
    _compare(
        {row.execution_id: row for row in expected}, {row.execution_id: row for row in executions}, findings
    )
    _compare(
        {row.approval_id: row for row in rebuilt.approvals(state=None)},
        {row.approval_id: row for row in approvals},
        findings,
    )


def _compare(
    expected: dict[str, ExecutionRow] | dict[str, ApprovalRow],
    found: dict[str, ExecutionRow] | dict[str, ApprovalRow],
    findings: Findings,
) -> None:
    findings.met("S21", len(expected))
    for name in sorted(expected.keys() ^ found.keys()):
        findings.broken("S21", "it is in the journal or in the lists, not in both", name)
    for name in sorted(expected.keys() & found.keys()):
        if expected[name] != found[name]:
            text = f"the journal says {expected[name]!r}, the list {found[name]!r}"
            findings.broken("S21", text, name)
    if list(expected) != list(found) and expected == found:
        findings.broken("S21", "the lists are in another order than the journal")
