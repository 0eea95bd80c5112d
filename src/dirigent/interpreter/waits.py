"""Timers: what each kind wakes."""

from __future__ import annotations

from dirigent.domain.event import StepCompleted, TimerFired, WaitStarted
from dirigent.interpreter.approvals import approval_expired
from dirigent.interpreter.lifecycle import execution_timed_out
from dirigent.interpreter.outcomes import look_due
from dirigent.interpreter.recording import record
from dirigent.interpreter.signals import wait_expired
from dirigent.interpreter.state import Turn
from dirigent.interpreter.steps import retry_due
from dirigent.interpreter.stopping import time_out


def wait_started(turn: Turn, event: WaitStarted) -> None:
    """Said for people; the timer is what the machine goes by, so a journal may be without it."""
    _ = turn, event


def timer_fired(turn: Turn, event: TimerFired) -> None:
    """Wake what the timer was for; a timer that is not outstanding any more wakes nothing."""
    if f"timer:{event.timer}" not in turn.state.outstanding:
        return
    turn.answered(f"timer:{event.timer}")
    kind, _, step = event.timer.partition(":")
    if kind == "execution":
        execution_timed_out(turn)
    elif kind == "timeout":
        time_out(turn, step)
    elif kind == "retry":
        retry_due(turn, step)
    elif kind == "look":
        look_due(turn, step)
    elif kind == "approval":
        approval_expired(turn, step)
    elif kind == "signal":
        wait_expired(turn, step)
    else:
        turn.state.steps[step].status = "running"
        done = StepCompleted(at=event.at, step=step, attempt=1, output={"waited": True})
        record(turn, step, done)
