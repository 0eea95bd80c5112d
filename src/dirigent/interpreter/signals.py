"""Waiting for what is told from outside: each signal counts once and is taken by one step."""

from __future__ import annotations

from typing import Any

from dirigent.domain.canonical import digest_of
from dirigent.domain.command import AwaitSignal, StartTimer
from dirigent.domain.errors import ExpressionError, SignalRefused
from dirigent.domain.event import Failure, SignalAwaited, SignalReceived, StepCompleted, StepFailed, WaitEnded
from dirigent.domain.patterns import matches
from dirigent.interpreter.recording import record
from dirigent.interpreter.state import Turn
from dirigent.interpreter.stopping import end_stopped

KEPT_MAX = 1000


def signal_awaited(turn: Turn, event: SignalAwaited) -> None:
    """Park the step, unless what it waits for has come already."""
    step = event.step
    turn.answered(f"step:{step}")
    if turn.state.steps[step].let_go:
        end_stopped(turn, step)
        return
    turn.state.steps[step].status = "waiting"
    turn.state.signals.awaited[step] = event.event
    turn.order(f"signal:{step}", AwaitSignal(step=step, event=event.event))
    if event.expires_at:
        timer = f"signal:{step}"
        turn.order(f"timer:{timer}", StartTimer(timer=timer, due=event.expires_at))
    kept = turn.state.signals.kept
    for number, signal in enumerate(kept):
        if _offer(turn, step, signal):
            del kept[number]
        if step not in turn.state.signals.awaited:
            return


def signal_received(turn: Turn, event: SignalReceived) -> None:
    """Hand the signal to the step that has waited longest for one like it, or keep it."""
    signals = turn.state.signals
    signals.seen[event.signal_id] = _digest(event)
    if not any(_offer(turn, step, event) for step in list(signals.awaited)):
        signals.kept.append(event)


def wait_ended(turn: Turn, event: WaitEnded) -> None:
    """The data of the signal is the output of the step."""
    state = turn.state.steps[event.step]
    state.status = "running"
    attempt = state.attempt
    if event.error is not None:
        record(turn, event.step, StepFailed(at=event.at, step=event.step, attempt=attempt, error=event.error))
        return
    output = turn.state.signals.taken.pop(event.step).data
    record(turn, event.step, StepCompleted(at=event.at, step=event.step, attempt=attempt, output=output))


def wait_expired(turn: Turn, step: str) -> None:
    """Nothing came in time."""
    awaited = turn.state.signals.awaited[step]
    _end(turn, step, error=Failure(code="event_timeout", message=f"no {awaited} came in time"))


def is_known(turn: Turn, signal: SignalReceived) -> bool:
    """Whether this very signal was received before.

    Raises `SignalRefused` where its id stands for another one, or where nobody waits for it and as many
    are kept as may be.
    """
    signals = turn.state.signals
    digest = signals.seen.get(signal.signal_id)
    if digest == _digest(signal):
        return True
    if digest is not None:
        raise SignalRefused(
            f"The signal {signal.signal_id!r} was received before and said something else.",
            fix="Give every signal an id of its own.",
        )
    if len(signals.kept) >= KEPT_MAX and not is_awaited(turn, signal):
        raise SignalRefused(
            f"{turn.state.execution_id} keeps {KEPT_MAX} signals that no step has taken.",
            fix="Tell it later, or check the names that its steps wait for.",
        )
    return False


def is_awaited(turn: Turn, signal: SignalReceived) -> bool:
    """Whether a step waits for a signal like this; one whose filter has to say what is wrong counts."""
    return any(_concerns(turn, step, signal) for step in turn.state.signals.awaited)


def misfits(turn: Turn, signal: SignalReceived) -> dict[str, str]:
    """The steps that wait and whose filters cannot be evaluated for a signal, with why."""
    found = {}
    for step in turn.state.signals.awaited:
        try:
            _fits(turn, step, signal)
        except ExpressionError as error:
            found[step] = str(error)
    return found


def _concerns(turn: Turn, step: str, signal: SignalReceived) -> bool:
    try:
        return _fits(turn, step, signal)
    except ExpressionError:
        return not signal.to_all


def _offer(turn: Turn, step: str, signal: SignalReceived) -> bool:
    """Whether the step takes the signal.

    A filter that cannot be evaluated is an error of the step where this execution was told; what went to
    all it just does not take, or one event in a wrong form would end whoever waits for others.
    """
    try:
        fits = _fits(turn, step, signal)
    except ExpressionError as error:
        if signal.to_all:
            return False
        _end(turn, step, error=Failure(code=error.code, message=f"filter: {error}"))
        return False
    if fits:
        turn.state.signals.taken[step] = signal
        _end(turn, step, signal_id=signal.signal_id)
    return fits


def _fits(turn: Turn, step: str, signal: SignalReceived) -> bool:
    if not matches(turn.state.signals.awaited[step], signal.name):
        return False
    condition = turn.node_of(step).filter
    if condition is None:
        return True
    return condition.holds(turn.scope(condition.names, step=step) | {"event": _as_event(signal)})


def _end(turn: Turn, step: str, *, signal_id: str = "", error: Failure | None = None) -> None:
    del turn.state.signals.awaited[step]
    turn.answered(f"signal:{step}")
    turn.answered(f"timer:signal:{step}")
    record(turn, step, WaitEnded(at=turn.state.now, step=step, signal_id=signal_id, error=error))


def _as_event(signal: SignalReceived) -> dict[str, Any]:
    """What a filter reads as `event`, by the names of CloudEvents."""
    return {
        "id": signal.event_id or signal.signal_id,
        "type": signal.name,
        "source": signal.source or signal.sender,
        "subject": signal.subject,
        "time": signal.time,
        "data": signal.data,
    }


def _digest(signal: SignalReceived) -> str:
    said = (signal.name, signal.source, signal.subject, signal.data)
    return digest_of(list(said))[:32]
