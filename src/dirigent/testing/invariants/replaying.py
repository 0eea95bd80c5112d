"""What a replay of every stream says: S5, S14, and what each execution still waits for."""

from __future__ import annotations

from collections import deque

from dirigent.domain.command import RecordEvent, StartTimer
from dirigent.domain.errors import DirigentError
from dirigent.domain.event import Event, TimerFired
from dirigent.interpreter.graph import Graph
from dirigent.interpreter.machine import Machine
from dirigent.ports import Recorded
from dirigent.testing.invariants.findings import Findings
from dirigent.testing.invariants.history import History, Stream


class Replay:
    """One stream fed to a machine. `machine` stands where the stream ends, or where it could not go on.

    `dues` are the timers that fired: when they were due, and when that was recorded.
    """

    __slots__ = ("_decided", "_findings", "dues", "machine", "stream", "whole")

    def __init__(self, stream: Stream, graph: Graph, findings: Findings) -> None:
        self.stream = stream
        self.machine = Machine(graph)
        self.dues: list[tuple[str, int, int]] = []
        self._findings = findings
        self._decided: deque[Event] = deque()
        self.whole = all(self._take(recorded) for recorded in stream.recorded)
        if self._decided:
            text = f"the replay decides {type(self._decided[0]).__name__} where the stream ends"
            self._broken("S5", text, stream.recorded[-1])

    def _take(self, recorded: Recorded) -> bool:
        event = recorded.event
        if self._decided:
            self._compare(self._decided.popleft(), recorded)
        if isinstance(event, TimerFired):
            self._timer(event, recorded)
        try:
            commands = self.machine.apply(event)
        except (DirigentError, AssertionError, KeyError) as error:
            self._broken("S9", f"{type(event).__name__}: {error}", recorded)
            return False
        self._decided += [command.event for command in commands if isinstance(command, RecordEvent)]
        return True

    def _compare(self, decided: Event, recorded: Recorded) -> None:
        self._findings.met("S5")
        if decided != recorded.event:
            text = f"the replay decides {decided!r:.120}, the journal says {recorded.event!r:.120}"
            self._broken("S5", text, recorded)
            self._decided.clear()

    def _timer(self, event: TimerFired, recorded: Recorded) -> None:
        self._findings.met("S14")
        command = self.machine.state.outstanding.get(f"timer:{event.timer}")
        if not isinstance(command, StartTimer):
            self._broken("S14", f"{event.timer} fires though nothing waits for it", recorded)
        elif event.at < command.due:
            self._broken("S14", f"{event.timer} fires {command.due - event.at} ms early", recorded)
        else:
            self.dues.append((event.timer, command.due, event.at))

    def _broken(self, invariant: str, text: str, recorded: Recorded) -> None:
        self._findings.broken(invariant, text, self.stream.name, recorded.version)


def replay_all(history: History, findings: Findings, *, twice: bool) -> dict[str, Replay]:
    """Replay every execution; `twice` compares the states of two replays."""
    replays: dict[str, Replay] = {}
    for name, stream in history.executions.items():
        graph = history.graph(stream.started.definition)
        if graph is None:
            continue
        replays[name] = Replay(stream, graph, findings)
        if twice and replays[name].whole:
            _again(replays[name], graph, findings)
    return replays


def _again(replay: Replay, graph: Graph, findings: Findings) -> None:
    machine = Machine(graph)
    for event in replay.stream:
        machine.apply(event)
    findings.met("S5")
    if machine.state.digest() != replay.machine.state.digest():
        findings.broken("S5", "a second replay ends in another state", replay.stream.name)
