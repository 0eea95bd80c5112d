"""Whether what happened outside is what the journal announced: S10, S11, S12, S17, S19 and S20."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from dirigent.domain.event import (
    ApprovalRequested,
    CallEnded,
    CallStarted,
    CancelRequested,
    ExecutionPaused,
    ExecutionResumed,
    SignalAwaited,
    StepCompleted,
    StepOutcomeResolved,
    StepStarted,
)
from dirigent.ports import Recorded
from dirigent.testing.invariants.evidence import ACKNOWLEDGED, Answered, Called, Entry, Listed
from dirigent.testing.invariants.findings import Findings
from dirigent.testing.invariants.history import History, Stream
from dirigent.testing.invariants.naming import ANNOUNCED, UNDOES, node_of

NOTHING_DONE = frozenset({"simulate", "hold"})
Place = tuple[str, str]


class _Intents:
    """What was let through, by execution and step, and what settled it."""

    def __init__(self, history: History) -> None:
        self.started: dict[Place, list[Recorded]] = defaultdict(list)
        self.looked: dict[Place, list[int]] = defaultdict(list)
        self.granted: dict[Place, list[int]] = defaultdict(list)
        self.completed: dict[Place, Recorded] = {}
        for name, stream in history.executions.items():
            for recorded in stream.recorded:
                self._note(name, recorded)

    def _note(self, stream: str, recorded: Recorded) -> None:
        event = recorded.event
        if isinstance(event, StepStarted):
            self.started[stream, event.step].append(recorded)
        elif isinstance(event, CallStarted):
            self.started[stream, event.call].append(recorded)
        elif isinstance(event, CallEnded) and event.call.endswith("/lookup"):
            self.looked[stream, event.call.removesuffix("/lookup")].append(recorded.position)
        elif isinstance(event, StepOutcomeResolved) and not event.happened:
            self.granted[stream, event.call or event.step].append(recorded.position)
        elif isinstance(event, StepCompleted):
            self.completed[stream, event.step] = recorded


def check_effects(
    history: History, client: Sequence[Entry], recorder: Sequence[Called], findings: Findings
) -> None:
    """Lay the recorder's log beside the journal."""
    intents = _Intents(history)
    by_action: dict[tuple[str, str, str], list[Called]] = defaultdict(list)
    for called in sorted(recorder, key=lambda called: called.order):
        by_action[called.execution, called.step, called.action].append(called)
        _announced(called, intents, findings)
    for (execution, step, _), calls in by_action.items():
        _repeated((execution, step), calls, intents, findings)
    _once_over_all(recorder, findings)
    _happened(intents, recorder, findings)
    _stopped(history, client, recorder, findings)
    _paused(history, findings)
    _tenants(history, client, recorder, findings)


def _announced(called: Called, intents: _Intents, findings: Findings) -> None:
    if (
        called.effect not in ANNOUNCED
    ):  # what only computes or reads may run ahead of its verdict's durability
        return
    started = intents.started.get((called.execution, called.step), [])
    findings.met("S17")
    if not any(_verdict(recorded) != "deny" for recorded in started):
        text = f"{called.agent}.{called.action} was called for {called.step!r} without a verdict"
        findings.broken("S17", text, called.execution)
        return
    findings.met("S10")
    if not any(_announces(recorded, called) for recorded in started):
        text = f"{called.agent}.{called.action} acted for {called.step!r} with no durable intent before it"
        findings.broken("S10", text, called.execution)


def _verdict(recorded: Recorded) -> str:
    event = recorded.event
    return event.verdict if isinstance(event, StepStarted | CallStarted) else ""


def _announces(recorded: Recorded, called: Called) -> bool:
    event = recorded.event
    assert isinstance(event, StepStarted | CallStarted), "only these are kept"
    in_time = called.durable is None or recorded.position <= called.durable
    same = event.key == called.key and event.attempt == called.attempt
    return in_time and same and called.payload in ("", event.payload)


def _repeated(place: Place, calls: list[Called], intents: _Intents, findings: Findings) -> None:
    effect = calls[0].effect
    if effect == "keyed":
        _once_by_key(place, calls, findings)
    elif effect in ANNOUNCED:
        findings.met("S12")
        most = 1 + len(intents.granted[place])
        counted = [called for called in calls if called.applied or effect == "at_most_once"]
        if len(counted) > most:
            text = f"{effect} {calls[0].action} of {place[1]!r} happened {len(counted)} times, {most} allowed"
            findings.broken("S12", text, place[0])
        elif effect == "queryable":
            _looked_between(place, calls, intents, findings)


def _once_by_key(place: Place, calls: list[Called], findings: Findings) -> None:
    findings.met("S11")
    applied = sum(called.applied for called in calls)
    keys = {called.key for called in calls}
    if applied > 1:
        findings.broken("S11", f"the effect of {place[1]!r} happened {applied} times", place[0])
    elif len(keys) > 1:
        findings.broken("S11", f"{place[1]!r} called under {len(keys)} keys", place[0])


def _looked_between(place: Place, calls: list[Called], intents: _Intents, findings: Findings) -> None:
    looked = sorted([*intents.looked[place], *intents.granted[place]])
    for before, after in pairwise(calls):
        if before.durable is None or after.durable is None:
            continue
        findings.met("S12")
        if not any(before.durable < position <= after.durable for position in looked):
            findings.broken("S12", f"{place[1]!r} was called again without looking first", place[0])


def _once_over_all(recorder: Iterable[Called], findings: Findings) -> None:
    """A fork goes on under the keys of what was under way: whoever asks, each is done once."""
    applied = Counter(called.key for called in recorder if called.applied and called.effect == "keyed")
    for called in recorder:
        if called.applied and applied.pop(called.key, 0) > 1:
            findings.broken(
                "S11", f"what {called.step!r} does under its key happened twice", called.execution
            )


def _happened(intents: _Intents, recorder: Sequence[Called], findings: Findings) -> None:
    """A keyed step that completed has had its effect. Only actions that the recorder sees are judged."""
    seen = {(called.agent, called.action) for called in recorder}
    applied = {called.key for called in recorder if called.applied}
    for place, recorded in intents.completed.items():
        started = intents.started.get(place)
        last = started[-1].event if started else None
        if not isinstance(last, StepStarted) or last.effect != "keyed" or last.verdict in NOTHING_DONE:
            continue
        if last.attempt != getattr(recorded.event, "attempt", 0):  # a value stood in for its result
            continue
        if (last.agent, last.action) in seen:
            findings.met("S11")
            if last.key not in applied:
                text = f"{place[1]!r} completed and its effect never happened"
                findings.broken("S11", text, place[0], recorded.version)


def _stopped(
    history: History, client: Iterable[Entry], recorder: Sequence[Called], findings: Findings
) -> None:
    """After an acknowledged cancel nothing in the family calls any more, but what undoes."""
    for entry in client:
        if not isinstance(entry, Answered) or entry.request != "cancel" or entry.result != ACKNOWLEDGED:
            continue
        findings.met("S19")
        late = [called for called in recorder if _below(called.execution, entry.execution)]
        late = [called for called in late if not called.step.startswith(UNDOES)]
        for called in late:
            after = called.sent is not None and called.sent > entry.order and called.effect in ANNOUNCED
            if after and not _comes_to_its_end(history, called):
                text = f"{called.action} of {called.step!r} was called after its cancel was acknowledged"
                findings.broken("S19", text, called.execution)


def _comes_to_its_end(history: History, called: Called) -> bool:
    """Whether this had begun before the cancel and can be undone: only at its end is it known what to undo.

    A process that begins after a crash begins it again.
    """
    stream = history.executions.get(called.execution)
    graph = history.graph(stream.started.definition) if stream is not None else None
    node = node_of(graph, called.step) if graph is not None else None
    if stream is None or node is None or not node.compensate:
        return False
    for recorded in stream.of(StepStarted, CancelRequested):
        event = recorded.event
        if not isinstance(event, StepStarted):
            return False
        if (event.step, event.attempt) == (called.step, called.attempt):
            return True
    return False


def _paused(history: History, findings: Findings) -> None:
    """While an execution is paused, nothing in its family announces an effect that was not under way."""
    spans = {name: list(_pauses(stream)) for name, stream in history.executions.items()}
    for name, pauses in spans.items():
        if not pauses:
            continue
        findings.met("S19", len(pauses))
        for stream in history.family(name):
            _begun_within(stream, pauses, findings, undoing=stream.name == name)
            _asked_within(stream, pauses, findings)


def _pauses(stream: Stream) -> Iterator[tuple[int, int]]:
    since = 0
    for recorded in stream.of(ExecutionPaused, ExecutionResumed, CancelRequested):
        if isinstance(recorded.event, ExecutionPaused):
            since = recorded.position
        elif since:
            yield since, recorded.position
            since = 0
    if since:
        yield since, 1 << 62


def _begun_within(
    stream: Stream, pauses: list[tuple[int, int]], findings: Findings, *, undoing: bool
) -> None:
    """What had begun before the pause may go on in it, also in a process that had to begin it again.

    Only the run's own pause holds back its `undoing`: one that comes to its end hears of no other.
    """
    begun: dict[tuple[str, int], int] = {}
    for recorded in stream.of(StepStarted):
        event = recorded.event
        assert isinstance(event, StepStarted), "only these are looked at"
        if event.step.startswith(UNDOES) and not undoing:
            continue
        at = begun.setdefault((event.step, event.attempt), recorded.position)
        lasting = [since for since, until in pauses if since < at < until]
        if event.effect in ANNOUNCED and any(not _lifted(stream, since, at) for since in lasting):
            text = f"{event.action} of {event.step!r} starts in a pause"
            findings.broken("S19", text, stream.name, recorded.version)


def _asked_within(stream: Stream, pauses: list[tuple[int, int]], findings: Findings) -> None:
    """A step that asks a person, or begins to wait for a signal, begins; and nothing does in a pause."""
    for recorded in stream.of(ApprovalRequested, SignalAwaited):
        event, at = recorded.event, recorded.position
        if isinstance(event, ApprovalRequested) and event.kind != "step":
            continue
        if any(since < at < until and not _lifted(stream, since, at) for since, until in pauses):
            text = f"{type(event).__name__} in a pause"
            findings.broken("S19", text, stream.name, recorded.version)


def _lifted(stream: Stream, since: int, at: int) -> bool:
    """Whether somebody let this very execution go on after the pause, whatever holds for those above it.

    A cancel ends the pause, too: what was done is undone then.
    """
    return any(since < recorded.position < at for recorded in stream.of(ExecutionResumed, CancelRequested))


def _tenants(
    history: History, client: Iterable[Entry], recorder: Iterable[Called], findings: Findings
) -> None:
    owners: dict[str, str] = {}
    for called in recorder:
        findings.met("S20")
        stream = history.executions.get(called.execution)
        if stream is not None and stream.tenant != called.tenant:
            text = f"{called.action} was called for {called.tenant}, the execution is {stream.tenant}'s"
            findings.broken("S20", text, called.execution)
        if called.key and owners.setdefault(called.key, called.tenant) != called.tenant:
            findings.broken("S20", "one key serves two tenants", called.execution)
    for stream in history.executions.values():
        parent = history.executions.get(stream.started.parent)
        if parent is not None and parent.tenant != stream.tenant:
            findings.broken("S20", f"it works for another tenant than {parent.name}", stream.name)
    for entry in client:
        if isinstance(entry, Listed):
            _listing(history, entry, findings)


def _listing(history: History, entry: Listed, findings: Findings) -> None:
    findings.met("S20")
    for name in (*entry.executions, *entry.approvals):
        stream = history.executions.get(name)
        if stream is not None and stream.tenant != entry.tenant:
            findings.broken("S20", f"{entry.tenant} was shown {name} of {stream.tenant}", name)


def _below(execution: str, ancestor: str) -> bool:
    return execution == ancestor or execution.startswith(ancestor + "/")
