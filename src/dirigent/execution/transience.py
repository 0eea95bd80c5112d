"""Which exceptions another try may mend."""

from __future__ import annotations

from collections.abc import Iterator

from dirigent.domain.errors import DirigentError, Overloaded, QueueFull, TransientError

TOO_MANY_REQUESTS = 429
CAUSES_MAX = 8
QUEUE_FULL_PATIENCE_S = 5.0


def is_transient_error(error: BaseException) -> bool:
    """Connections, time-outs, the HTTP answers 429 and 5xx, and what says so itself by `TransientError`.

    An expected failure of ours is what its class says. Of any other exception its causes count too, since
    clients of networks raise errors of their own from those of the socket.
    """
    if isinstance(error, DirigentError):
        return isinstance(error, TransientError | QueueFull | Overloaded)
    return any(
        isinstance(cause, ConnectionError | TimeoutError) or _asks_for_patience(cause)
        for cause in _causes(error)
    )


def asked_patience_s(error: BaseException) -> float | None:
    """How long to leave alone what takes in nothing more for now; None where that is not the matter."""
    if isinstance(error, Overloaded):
        return float(max(error.retry_after_s, 1))
    return QUEUE_FULL_PATIENCE_S if isinstance(error, QueueFull) else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    for _ in range(CAUSES_MAX):
        if current is None:
            return
        yield current
        current = current.__cause__


def _asks_for_patience(error: BaseException) -> bool:
    """Whether it carries an HTTP status, itself or on its response, that means to try again."""
    for holder in (error, getattr(error, "response", None)):
        for name in ("status_code", "status", "code"):
            status = getattr(holder, name, None)
            if isinstance(status, int) and (status == TOO_MANY_REQUESTS or 500 <= status <= 599):
                return True
    return False
