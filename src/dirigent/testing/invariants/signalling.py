"""Whether what was told is taken by who waits for it: S15."""

from __future__ import annotations

from dirigent.domain.event import SignalAwaited, SignalReceived, WaitEnded
from dirigent.domain.ids import defined_step
from dirigent.domain.patterns import matches
from dirigent.testing.invariants.findings import Findings
from dirigent.testing.invariants.history import History, Stream


def check_signals(history: History, findings: Findings) -> None:
    """Nobody waits in vain for a signal that is there and that no other step has taken."""
    for stream in history.executions.values():
        graph = history.graph(stream.started.definition)
        if graph is None:
            continue
        filtered = {name for name, node in graph.nodes.items() if node.filter is not None}
        _check_stream(stream, filtered, findings)


def _check_stream(stream: Stream, filtered: set[str], findings: Findings) -> None:
    kept: dict[str, str] = {}
    awaited: dict[str, str] = {}
    for recorded in stream.of(SignalReceived, SignalAwaited, WaitEnded):
        event = recorded.event
        if isinstance(event, SignalReceived):
            kept[event.signal_id] = event.name
        elif isinstance(event, SignalAwaited):
            awaited[event.step] = event.event
        elif isinstance(event, WaitEnded):
            kept.pop(event.signal_id, None)
            findings.met("S15")
            pattern = awaited.get(event.step, "")
            there = [name for name in kept.values() if pattern and matches(pattern, name)]
            if not event.signal_id and there and defined_step(event.step) not in filtered:
                text = f"{event.step!r} waited in vain for {pattern}, and {there[0]} was there"
                findings.broken("S15", text, stream.name, recorded.version)
