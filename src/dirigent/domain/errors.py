"""The expected failures.

DirigentError
├── InvalidInput            something a person handed in is wrong; names the field and the fix
│   ├── InvalidDefinition   a workflow that does not load; carries every problem with its position
│   ├── GoalNotUnderstood   a sentence without a metric or goal we know; carries a question
│   ├── ExpressionError     an expression that does not parse or cannot be evaluated
│   └── WrongKey            the key a data folder is encrypted with is missing, or another one
├── NotFound                a named thing is not there; carries the nearest names
├── Refused                 the dispatcher said no; carries the verdict's rule ids
├── Conflict                the state does not allow it (already decided, wrong version, held by another)
│   ├── DataFolderBusy      another process holds the data folder
│   ├── StaleReceipt        a job is no longer held by whoever wants to settle it
│   ├── IllegalTransition   an event that the state machine cannot take
│   └── SignalRefused       a signal whose id is taken, or one too many that nobody waits for
├── QueueFull               a queue takes in no more for now
├── Overloaded              more waits to begin than may; carries retry_after_s
├── StorageFailure          the disk or the database failed; nothing was acknowledged
│   └── JournalDamaged      stored history does not verify; carries the streams
├── TransientError          worth another try: connection lost, time-out, 429, 5xx
│   └── HeartbeatMissed     an action gave no sign of life
└── ActionFailed            an action ended with an error that another try would not mend
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class DirigentError(Exception):
    """Base of every expected failure: a stable `code`, a sentence, and what to do about it."""

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, fix: str = "", field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.field = field

    def __str__(self) -> str:
        return f"{self.message} {self.fix}".strip()


class InvalidInput(DirigentError):
    """Something a person handed in is wrong."""

    code = "invalid_input"
    http_status = 422


class InvalidDefinition(InvalidInput):
    """A workflow definition does not load; `problems` holds every finding, in file order."""

    code = "invalid_definition"

    def __init__(self, message: str, *, problems: Sequence[object] = (), fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.problems = tuple(problems)


class GoalNotUnderstood(InvalidInput):
    """The sentence names no goal or metric that is known; `fix` is a question to the user."""

    code = "goal_not_understood"


class ExpressionError(InvalidInput):
    """An expression does not parse, or has no value for the names at hand."""

    code = "expression_error"


class WrongKey(InvalidInput):
    """A data folder is encrypted with another key than the one given, or one of the two is missing."""

    code = "wrong_key"
    http_status = 409


class NotFound(DirigentError):
    """A named thing does not exist; `nearest` holds names close to the one asked for."""

    code = "not_found"
    http_status = 404

    def __init__(self, message: str, *, code: str = "not_found", nearest: Sequence[str] = ()) -> None:
        fix = f"Did you mean {', '.join(repr(name) for name in nearest)}?" if nearest else ""
        super().__init__(message, fix=fix)
        self.code = code  # type: ignore[misc]
        self.nearest = tuple(nearest)


class Refused(DirigentError):
    """The dispatcher refused an action; `rules` names what forbade it."""

    code = "refused"
    http_status = 403

    def __init__(self, message: str, *, rules: Sequence[str] = (), fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.rules = tuple(rules)


class Conflict(DirigentError):
    """The present state does not allow the request."""

    code = "conflict"
    http_status = 409


class DataFolderBusy(Conflict):
    """Another process works on the data folder; the message names it."""

    code = "data_folder_busy"


class StaleReceipt(Conflict):
    """A job was handed out again, given back or ended; whoever held it before has no say any more."""

    code = "stale_receipt"


class IllegalTransition(Conflict):
    """An event arrived that the execution's state cannot take."""

    code = "illegal_transition"


class SignalRefused(Conflict):
    """A signal that an execution does not take: its id stands for another one, or too many are kept."""

    code = "signal_refused"


class QueueFull(DirigentError):
    """A queue holds as many open jobs of a topic as it may; nothing was taken in."""

    code = "queue_full"
    http_status = 503


class Overloaded(DirigentError):
    """More is waiting to begin than may; nothing was taken in. `retry_after_s` says when to try again."""

    code = "overloaded"
    http_status = 429

    def __init__(self, message: str, *, retry_after_s: int, fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.retry_after_s = retry_after_s


class StorageFailure(DirigentError):
    """The storage refused a write; nothing that was not acknowledged is stored."""

    code = "storage_failure"
    http_status = 507


class JournalDamaged(StorageFailure):
    """Stored history does not verify; `streams` names what is affected."""

    code = "journal_damaged"
    http_status = 503

    def __init__(self, message: str, *, streams: Sequence[str] = (), fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.streams = tuple(streams)


class TransientError(DirigentError):
    """An action failed in a way that another try may mend."""

    code = "transient"
    http_status = 503


class NoPlaceLeft(TransientError):
    """Every place of an agent is taken by a call that nobody waits for any more and that does not end."""

    code = "no_place_left"


class HeartbeatMissed(TransientError):
    """An action gave no sign of life for longer than it may."""

    code = "heartbeat_missed"


class ActionFailed(DirigentError):
    """An action failed in a way that another try will not mend."""

    code = "action_failed"
    http_status = 500
