"""Whether an execution did no more by itself than its level lets it: S16 and S17."""

from __future__ import annotations

from dirigent.domain.event import ApprovalDecided, CallStarted, StepStarted
from dirigent.testing.invariants.findings import Findings
from dirigent.testing.invariants.history import History, Stream

SIMULATES = "L0"
ASKS = {"L0": (), "L1": ("R3", "R4"), "L2": ("R4",), "L3": ("R4",)}  # L2 asks for R3, too, unless it is sure


def check_levels(history: History, findings: Findings) -> None:
    """At level 0 nothing acts; what a level leaves to a person was approved, in these very words, before."""
    for stream in history.executions.values():
        level = stream.started.passport.autonomy
        approved: set[str] = set()
        for recorded in stream.of(ApprovalDecided, StepStarted, CallStarted):
            event = recorded.event
            if isinstance(event, ApprovalDecided):
                approved |= {event.payload} if event.decision == "approved" else set()
            elif isinstance(event, StepStarted | CallStarted):
                _let_through(event, level, approved, stream, recorded.version, findings)


def _let_through(
    event: StepStarted | CallStarted,
    level: str,
    approved: set[str],
    stream: Stream,
    version: int,
    findings: Findings,
) -> None:
    if level == SIMULATES:
        findings.met("S17")
        if event.risk != "R0" and event.verdict != "simulate":
            text = f"{event.action} of {event.step!r} acts at level 0"
            findings.broken("S17", text, stream.name, version)
    elif event.risk in ASKS[level] and event.verdict != "hold":  # which lets nothing out
        findings.met("S16")
        if event.payload not in approved:
            text = f"{event.action} of {event.step!r} ({event.risk}) acts at {level}, and nobody approved it"
            findings.broken("S16", text, stream.name, version)
