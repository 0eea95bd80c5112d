"""Whether answers keep their word: S1, S2, S6, S7, S15, S26 and S28."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from dirigent.domain.canonical import digest_of
from dirigent.domain.event import (
    ApprovalDecided,
    ApprovalVoted,
    CancelRequested,
    Event,
    ExecutionPaused,
    ExecutionResumed,
    SignalReceived,
    StepOutcomeResolved,
    WaitEnded,
)
from dirigent.testing.invariants.evidence import (
    ACKNOWLEDGED,
    REFUSED,
    Answered,
    Ended,
    Entry,
    Listed,
    StorageFailed,
    Told,
    fingerprint,
)
from dirigent.testing.invariants.findings import Findings
from dirigent.testing.invariants.history import History

BY_THEMSELVES = frozenset({"start", "rest", "fork", "retry"})  # looked at each in a place of its own
DECISIONS = {"approve": "approved", "reject": "rejected"}
NOTES: dict[str, type[CancelRequested] | type[ExecutionPaused] | type[ExecutionResumed]] = {
    "cancel": CancelRequested,
    "pause": ExecutionPaused,
    "resume": ExecutionResumed,
}
APPLIED: tuple[tuple[type[Event], Callable[[Any], str]], ...] = (
    (ApprovalDecided, lambda event: f"{event.approval_id} was decided"),
    (ApprovalVoted, lambda event: f"{event.actor} voted on {event.approval_id}"),
    (SignalReceived, lambda event: f"signal {event.signal_id!r} was received"),
    (WaitEnded, lambda event: event.signal_id and f"signal {event.signal_id!r} was taken"),
)


def start_body(definition: str, given: object) -> str:
    """What a start asks for, by hash: the definition's content hash and the input."""
    return digest_of({"definition": definition, "input": given})


def check_answers(history: History, client: Sequence[Entry], findings: Findings) -> None:
    """Everything the client log says of answers, listings and what observers were told."""
    answers = [entry for entry in client if isinstance(entry, Answered)]
    acknowledged = [answer for answer in answers if answer.result == ACKNOWLEDGED]
    _starts(history, acknowledged, findings)
    _requests(history, acknowledged, findings)
    _decisions(history, findings)
    _rested(answers, findings)
    _shown(history, client, findings)
    _told(history, client, findings)
    _after_failure(history, client, acknowledged, findings)


def _starts(history: History, acknowledged: Iterable[Answered], findings: Findings) -> None:
    for answer in acknowledged:
        if answer.request != "start":
            continue
        findings.met("S1")
        findings.met("S2")
        stream = history.executions.get(answer.execution)
        if stream is None:
            findings.broken("S2", "its start was acknowledged, and it is not there", answer.execution)
        elif answer.body:
            findings.met("S26")
            if start_body(stream.started.definition, stream.started.input) != answer.body:
                findings.broken("S26", "another body was acknowledged than was started", answer.execution)


def _requests(history: History, acknowledged: Iterable[Answered], findings: Findings) -> None:
    asked = Counter(_named(answer) for answer in acknowledged if answer.request not in BY_THEMSELVES)
    asked.update(
        {name: 1 - times for name, times in asked.items() if name[1] == "signal"}
    )  # told once, however often
    for name, times in asked.items():
        findings.met("S1", times)
        execution, request, subject, actor = name
        stream = history.executions.get(execution)
        found = sum(_answers(event, request, subject, actor) for event in stream or ())
        if found < times:
            about = f"{request} {subject} by {actor}".replace("  ", " ")
            text = f"{about} was acknowledged {times} times, the journal has it {found} times"
            findings.broken("S1", text, execution)


def _named(answer: Answered) -> tuple[str, str, str, str]:
    return answer.execution, answer.request, answer.subject, answer.actor


def _answers(event: Event, request: str, subject: str, actor: str) -> bool:
    if isinstance(event, ApprovalDecided | ApprovalVoted):
        decision = DECISIONS.get(request)
        return event.decision == decision and event.approval_id == subject and event.actor == actor
    if isinstance(event, StepOutcomeResolved):
        return request == "resolve" and event.step == subject and event.actor == actor
    if isinstance(event, SignalReceived):
        return request == "signal" and event.signal_id == subject
    kind = NOTES.get(request)
    return kind is not None and isinstance(event, kind) and event.actor == actor


def _decisions(history: History, findings: Findings) -> None:
    """Each approval is decided once, each signal received once and taken by one step."""
    for stream in history.executions.values():
        applied = Counter(
            name
            for event in stream
            for kind, read in APPLIED
            if isinstance(event, kind) and (name := read(event))
        )
        findings.met("S15", len(applied))
        for name, count in applied.items():
            if count > 1:
                findings.broken("S15", f"{name} {count} times", stream.name)


def _rested(answers: Iterable[Answered], findings: Findings) -> None:
    """Who waits for a run to rest is told of what broke the driver, or that there is no such run."""
    for answer in answers:
        if answer.request == "rest" and answer.result == REFUSED and answer.code == "conflict":
            findings.broken("X1", "the driver broke", answer.execution)


def _shown(history: History, client: Iterable[Entry], findings: Findings) -> None:
    known = history.executions
    for entry in client:
        if isinstance(entry, Listed):
            findings.met("S2", len(entry.executions))
            for name in entry.executions:
                if name not in known:
                    findings.broken("S2", "it was listed, and it is not there", name)


def _told(history: History, client: Sequence[Entry], findings: Findings) -> None:
    heard: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in client:
        if isinstance(entry, Told):
            heard[entry.session, entry.execution].append(entry.digest)
    last = _last_session(client)
    written = {name: [fingerprint(event) for event in stream] for name, stream in history.executions.items()}
    for (session, execution), digests in heard.items():
        _heard(execution, digests, written.get(execution, []), session == last, findings)


def _heard(
    execution: str, digests: list[str], written: list[str], to_the_end: bool, findings: Findings
) -> None:
    findings.met("S6", len(digests))
    missing = set(digests) - set(written)
    if missing:
        text = f"{len(missing)} events were told that the journal does not have"
        findings.broken("S6", text, execution)
        return
    findings.met("S7")
    places = [place + len(digests) for place in _places(digests, written)]
    if not places:
        findings.broken("S7", "what was told is no unbroken part of the stream", execution)
    elif to_the_end and len(written) not in places:
        findings.broken("S7", f"nobody was told of the last {len(written) - max(places)} events", execution)


def _places(part: list[str], whole: list[str]) -> Iterator[int]:
    starts = (place for place, digest in enumerate(whole) if digest == part[0])
    return (place for place in starts if whole[place : place + len(part)] == part)


def _last_session(client: Sequence[Entry]) -> str:
    """The last session, where it came to an orderly end: only then has everybody heard everything."""
    ends = [entry for entry in client if isinstance(entry, Ended)]
    return ends[-1].session if ends and ends[-1].how == "closed" else ""


def _after_failure(
    history: History, client: Iterable[Entry], acknowledged: Iterable[Answered], findings: Findings
) -> None:
    failed = {entry.session: entry for entry in client if isinstance(entry, StorageFailed)}
    findings.met("S28", len(failed))
    for answer in acknowledged:
        since = failed.get(answer.session)
        if since is None or answer.asked <= since.order:
            continue
        if since.durable is None or _written_at(history, answer) > since.durable:
            text = f"{answer.request} was asked and acknowledged after the storage failed"
            findings.broken("S28", text, answer.execution)


def _written_at(history: History, answer: Answered) -> int:
    """The position of what was acknowledged; beyond the end where it is not there."""
    stream = history.executions.get(answer.execution)
    for recorded in stream.recorded if stream is not None else ():
        if answer.request == "start" or _answers(
            recorded.event, answer.request, answer.subject, answer.actor
        ):
            return recorded.position
    return len(history.journal) + 1
