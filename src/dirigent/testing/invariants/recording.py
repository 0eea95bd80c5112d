"""Whether the journal is a journal: S3, S4, S8, S25 and S27."""

from __future__ import annotations

from dirigent.domain.event import TERMINAL, DefinitionStored, ExecutionStarted
from dirigent.ports import Recorded, Verification
from dirigent.testing.invariants.findings import Findings
from dirigent.testing.invariants.history import History


def check_recording(history: History, findings: Findings, verification: Verification | None) -> None:
    """Positions, versions, digests, ends, definitions and times."""
    _positions(history, findings)
    for name, events in history.streams.items():
        _versions(name, events, findings)
        _times(name, events, findings)
    _ends(history, findings)
    _definitions(history, findings)
    if verification is not None:
        _digests(history, verification, findings)


def _positions(history: History, findings: Findings) -> None:
    previous = 0
    for recorded in history.journal:
        findings.met("S3")
        if recorded.position <= previous:
            text = f"position {recorded.position} comes after {previous}"
            findings.broken("S3", text, recorded.stream, recorded.version)
        previous = recorded.position


def _versions(name: str, events: list[Recorded], findings: Findings) -> None:
    for expected, recorded in enumerate(events, start=1):
        if recorded.version != expected:
            findings.broken("S3", f"version {recorded.version} where {expected} was next", name, expected)
            return


def _times(name: str, events: list[Recorded], findings: Findings) -> None:
    latest = 0
    for recorded in events:
        findings.met("S27")
        if recorded.event.at < latest:
            text = f"{type(recorded.event).__name__} goes back by {latest - recorded.event.at} ms"
            findings.broken("S27", text, name, recorded.version)
        latest = max(latest, recorded.event.at)


def _ends(history: History, findings: Findings) -> None:
    for stream in history.executions.values():
        ends = list(stream.of(*TERMINAL))
        if not ends:
            continue
        findings.met("S8")
        if len(ends) > 1 or ends[0] is not stream.recorded[-1]:
            following = stream.recorded[min(ends[0].version, len(stream.recorded) - 1)]
            text = f"{type(following.event).__name__} follows its end"
            findings.broken("S8", text, stream.name, following.version)


def _definitions(history: History, findings: Findings) -> None:
    for stream in history.executions.values():
        findings.met("S25")
        name = stream.started.definition
        if name not in history.definitions:
            findings.broken("S25", f"its definition {name[:12]} is not stored", stream.name, 1)
        for again in list(stream.of(ExecutionStarted))[1:]:
            findings.broken("S25", "it was started again", stream.name, again.version)
    for name, events in history.streams.items():
        first = events[0].event
        if isinstance(first, DefinitionStored):
            _stored_definition(history, name, findings)


def _stored_definition(history: History, name: str, findings: Findings) -> None:
    found = history.definition(name).content_hash
    if found != name:
        findings.broken("S25", f"the definition under this name hashes to {found[:12]}", name, 1)


def _digests(history: History, verification: Verification, findings: Findings) -> None:
    findings.met("S4", verification.events)
    for damage in verification.damages:
        findings.broken("S4", damage.reason, damage.stream, damage.version or 0)
    if verification.events != len(history.journal):
        text = f"{verification.events} events were verified, {len(history.journal)} were read"
        findings.broken("S4", text)
