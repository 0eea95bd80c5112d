"""Effects of unknown outcome: parked, read back where that is possible, settled by that or by a person."""

from __future__ import annotations

import msgspec

from dirigent.domain.command import BreakOff, InvokeAction, RecordEvent, StartTimer
from dirigent.domain.event import (
    CallEnded,
    CallStarted,
    EffectAcknowledged,
    OutcomeObserved,
    ReadBackRequested,
    StepCompleted,
    StepOutcomeResolved,
    StepOutcomeUnknown,
)
from dirigent.interpreter import compensation, fanout
from dirigent.interpreter.beginning import invocation
from dirigent.interpreter.state import State, Turn
from dirigent.interpreter.steps import step_completed
from dirigent.interpreter.stopping import end_stopped

LOOK_AFTER_MS = (5_000, 15_000, 35_000)  # how long after each look that saw nothing, and at first
LOOKS_TO_TRY_AGAIN = 2
BY_LOOKING = "read_back"
UNREPEATABLE = frozenset({"queryable", "at_most_once"})


def unclear_call(state: State, step: str) -> CallStarted | None:
    """A call of a step that was let through, that may have acted, and of whose end nobody knows."""
    found = state.steps.get(step)
    calls = (state.calls[call] for call in (found.calls or () if found is not None else ()))
    under_way = (call for call in calls if isinstance(call, CallStarted))
    return next((call for call in under_way if call.effect in UNREPEATABLE), None)


def effect_acknowledged(turn: Turn, event: EffectAcknowledged) -> None:
    """Remember what the receiver calls the effect; it is not settled by that."""
    if event.call:
        return
    turn.state.steps[event.step].reference = event.reference
    outstanding = turn.state.outstanding.get(f"step:{event.step}")
    if isinstance(outstanding, InvokeAction):
        told = msgspec.structs.replace(outstanding, reference=event.reference)
        turn.state.outstanding[f"step:{event.step}"] = told


def step_outcome_unknown(turn: Turn, event: StepOutcomeUnknown) -> None:
    """The step waits until it is settled what became of its effect: by looking, or by a person's word."""
    turn.answered(f"step:{event.step}")
    state = turn.state.steps[event.step]
    state.status = "outcome_unknown"
    state.lookup, state.looks, state.unclear_call = event.lookup, 0, event.call
    _look_later(turn, event.step)
    turn.state.spent += state.reserved
    if turn.state.ending is not None:
        compensation.became_unclear(turn, event.step)
    else:
        fanout.step_waits(turn, event.step)


def step_outcome_resolved(turn: Turn, event: StepOutcomeResolved) -> None:
    """It is known what happened: the step is done, or may be tried once more."""
    state = turn.state.steps[event.step]
    if compensation.looked_at(turn.state.outstanding.get(f"step:{event.step}")):
        turn.commands.append(BreakOff(step=event.step))
    turn.answered(f"step:{event.step}")
    turn.answered(f"timer:look:{event.step}")
    turn.state.spent -= 0.0 if event.happened or event.call else state.reserved
    state.reserved = 0.0
    if event.call:
        _settle_call(turn, event)
    if turn.state.ending is not None:
        own = not event.call or event.step in turn.state.undoing  # that a call ended is not the step's result
        happened = event.happened and own
        compensation.became_clear(turn, event.step, happened=happened, output=event.output)
    elif event.happened and not event.call:
        fanout.step_returns(turn, event.step)
        state.status = "running"
        done = StepCompleted(at=event.at, step=event.step, attempt=event.attempt, output=event.output)
        step_completed(turn, done)
    elif state.let_go:
        fanout.step_returns(turn, event.step)
        state.status = "running"
        end_stopped(turn, event.step)
    else:
        state.attempt += 1
        fanout.go_on(turn, event.step)


def _settle_call(turn: Turn, event: StepOutcomeResolved) -> None:
    """The call has its result, or was never made; its caller will ask for it once more.

    What the calls above it made of not knowing it, and those below it, are forgotten.
    """
    state, started = turn.state.steps[event.step], turn.state.calls[event.call]
    state.unclear_call = ""
    around = [call for call in state.calls or () if _one_calls_the_other(call, event.call)]
    for call in around:
        del turn.state.calls[call]
    state.calls = [call for call in state.calls or () if call not in around]
    if event.happened:
        turn.state.spent += started.reserved if isinstance(started, CallStarted) else 0.0
        done = CallEnded(at=event.at, call=event.call, payload=started.payload, output=event.output)
        turn.state.calls[event.call] = done
        state.calls.append(event.call)


def _one_calls_the_other(first: str, second: str) -> bool:
    return f"{first}/".startswith(f"{second}/") or f"{second}/".startswith(f"{first}/")


def read_back_requested(turn: Turn, event: ReadBackRequested) -> None:
    """Look now, whenever the next look would have been."""
    turn.answered(f"timer:look:{event.step}")
    if f"step:{event.step}" not in turn.state.outstanding:
        _look(turn, event.step)


def look_due(turn: Turn, step: str) -> None:
    """It is time to look whether the effect happened."""
    _look(turn, step)


def outcome_observed(turn: Turn, event: OutcomeObserved) -> None:
    """What was found settles the effect; what was not seen twice may be tried again as the step allows."""
    step, state = event.step, turn.state.steps[event.step]
    turn.answered(f"step:{step}")
    state.looks += 1
    retry = turn.node_of(step).step.retry
    missing = not event.found and event.error is None and state.looks >= LOOKS_TO_TRY_AGAIN
    again = missing and event.attempt < retry.max_attempts and compensation.may_try_again(turn, step)
    if event.found or again:
        resolved = StepOutcomeResolved(
            at=event.at,
            step=step,
            attempt=event.attempt,
            happened=event.found,
            actor=BY_LOOKING,
            output=event.output,
        )
        turn.order(f"step:{step}", RecordEvent(event=resolved))
    else:
        _look_later(turn, step)


def _look(turn: Turn, step: str) -> None:
    asked = msgspec.structs.replace(invocation(turn, step), started=True, look=True)
    turn.order(f"step:{step}", asked)


def _look_later(turn: Turn, step: str) -> None:
    state = turn.state.steps[step]
    if state.lookup and state.looks < len(LOOK_AFTER_MS):
        due = turn.state.now + LOOK_AFTER_MS[state.looks]
        turn.order(f"timer:look:{step}", StartTimer(timer=f"look:{step}", due=due))
