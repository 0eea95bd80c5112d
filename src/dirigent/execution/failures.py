"""What an exception of an action means: its code, and whether another try may help."""

from __future__ import annotations

import traceback

from pydantic import ValidationError

from dirigent.domain.errors import DirigentError, HeartbeatMissed, NoPlaceLeft, Refused, TransientError
from dirigent.domain.event import Failure
from dirigent.execution.elsewhere import EndedElsewhere
from dirigent.execution.stepping import TimeLimitPassed
from dirigent.execution.transience import is_transient_error

AGENT_ERROR = "agent_error"
STEP_TIMEOUT = "step_timeout"
AGENT_TIMEOUT = "agent_timeout"
NOT_TAKEN = "not_taken"
FRAMES = 8
TRANSIENT_CODES = frozenset(
    {"transient", STEP_TIMEOUT, AGENT_TIMEOUT, "circuit_open", "heartbeat_missed", NOT_TAKEN}
)


def failure_of(error: Exception) -> Failure:
    """The recorded form of an exception. Connections, time-outs and `TransientError` may be retried."""
    if isinstance(error, EndedElsewhere):
        return error.failure
    if isinstance(error, TimeLimitPassed):
        return Failure(code=error.code, message=str(error), retryable=True)
    if isinstance(error, TimeoutError):
        return Failure(code=AGENT_TIMEOUT, message=str(error) or "The time limit passed.", retryable=True)
    if isinstance(error, HeartbeatMissed | NoPlaceLeft):
        return Failure(code=error.code, message=str(error), retryable=True)
    if isinstance(error, TransientError | ConnectionError):
        return Failure(code="transient", message=str(error), retryable=True)
    if isinstance(error, Refused):
        return Failure(code=error.code, message=str(error), rules=error.rules)
    if isinstance(error, DirigentError):
        return Failure(code=error.code, message=str(error))
    if isinstance(error, ValidationError):
        return Failure(
            code="bad_output", message=f"The result does not fit its type: {error.errors()[0]['msg']}"
        )
    if is_transient_error(error):
        return Failure(code="transient", message=f"{type(error).__name__}: {error}", retryable=True)
    return Failure(code=AGENT_ERROR, message=f"{type(error).__name__}: {error}")


def raised_at(error: BaseException) -> list[str]:
    """The lines of code that an exception came through, the innermost last; no values, they may be secret."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames[-FRAMES:]]


def is_transient(failure: Failure) -> bool:
    """Whether the failure says nothing of what the receiver did."""
    return failure.code in TRANSIENT_CODES


def is_certain(error: Exception, failure: Failure, *, repeatable: bool) -> bool:
    """Whether an action's end is known: nothing came of it, or it may simply be repeated."""
    if isinstance(error, EndedElsewhere):
        return error.certain or (repeatable and not error.unknown)
    return repeatable or (isinstance(error, DirigentError) and not is_transient(failure))


def was_let_out(error: Exception) -> bool:
    """Whether anything may have left before it failed; only a call of a server can say that nothing did."""
    return not isinstance(error, EndedElsewhere) or error.let_out


def circuit_open(agent: str) -> Failure:
    """An agent is not called because it failed too often."""
    message = f"{agent} failed too often; it is left alone for a while."
    return Failure(code="circuit_open", message=message, retryable=True)


def unreadable(action: str) -> Failure:
    """What an action did cannot be read back."""
    return Failure(code="not_queryable", message=f"{action} cannot be read back.")
