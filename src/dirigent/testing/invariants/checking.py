"""All invariants over one journal and the two logs that were kept outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from dirigent.interpreter.graph import Graph
from dirigent.ports import ApprovalRow, ExecutionRow, Recorded, Verification
from dirigent.testing.invariants.acknowledging import check_answers
from dirigent.testing.invariants.effects import check_effects
from dirigent.testing.invariants.evidence import Called, Entry
from dirigent.testing.invariants.findings import Findings, Report
from dirigent.testing.invariants.forking import check_forks
from dirigent.testing.invariants.history import History
from dirigent.testing.invariants.levels import check_levels
from dirigent.testing.invariants.liveness import Quiet, check_liveness
from dirigent.testing.invariants.money import check_budgets
from dirigent.testing.invariants.projecting import check_projections
from dirigent.testing.invariants.recording import check_recording
from dirigent.testing.invariants.replaying import replay_all
from dirigent.testing.invariants.signalling import check_signals
from dirigent.testing.invariants.stepping import check_steps
from dirigent.testing.invariants.stopping import check_stops
from dirigent.testing.invariants.undoing import check_undoing
from dirigent.testing.invariants.voting import check_votes


class Projected(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that the projections show of everything: executions newest first, approvals oldest first."""

    executions: Sequence[ExecutionRow]
    approvals: Sequence[ApprovalRow]


def check(
    journal: Iterable[Recorded],
    client: Sequence[Entry] = (),
    recorder: Sequence[Called] = (),
    *,
    verification: Verification | None = None,
    projected: Projected | None = None,
    quiet: Quiet | None = None,
    unhandled: Sequence[str] = (),
    twice: bool = True,
    graphs: dict[str, Graph] | None = None,
) -> Report:
    """Check every invariant that the evidence says anything about.

    `journal` is everything in the journal (`Journal.tail`), in order; `client` what those noted who asked
    the engine; `recorder` what it noted upon whom the engine acted. The rest may be left out, and what hangs
    on it is not judged then: `verification` and `projected` come from the stores, `quiet` says that and when
    all faults were over, `unhandled` names what was raised and caught by nobody. `twice` replays each stream
    a second time. `graphs` keeps compiled definitions from one check to the next.
    """
    findings = Findings()
    history = History(journal, graphs)
    check_recording(history, findings, verification)
    replays = replay_all(history, findings, twice=twice)
    check_steps(history, findings)
    check_stops(history, findings)
    check_undoing(history, findings)
    check_votes(history, findings)
    check_levels(history, findings)
    check_signals(history, findings)
    check_answers(history, client, findings)
    check_effects(history, client, recorder, findings)
    check_forks(history, client, recorder, findings)
    check_budgets(history, findings)
    if projected is not None:
        check_projections(history, projected.executions, projected.approvals, findings)
    if quiet is not None:
        check_liveness(history, replays, client, quiet, findings)
    findings.met("X1")
    for raised in unhandled:
        findings.broken("X1", raised)
    return findings.report
