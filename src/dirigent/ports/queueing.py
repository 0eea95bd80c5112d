"""The protocols of asynchronous work: queues, the bound on an agent's calls, and engines that run flows.

A queue's methods are synchronous and safe from any thread; what they return is on stable storage where
the backend has one. Code on an event loop calls them in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from dirigent.domain.envelope import Envelope
from dirigent.domain.job import QueuedJob, TopicCounts
from dirigent.domain.run import RunRecord


@runtime_checkable
class QueueInterface(Protocol):
    """Jobs by topic: handed to one holder at a time, and handed out again where the holder falls silent.

    Order is by priority (9 first), then first in, first out. A job that failed or ran out of time
    `max_attempts` times is dead: it stays in the queue's books until a person replays or purges it.

    `receipt` is what `dequeue` put on the job. It is good until the job is handed out again, given
    back, ended or replayed; with any other one `StaleReceipt` is raised. Without a receipt the job's
    id will do as long as nobody can have fallen silent over it.
    """

    def enqueue(self, topic: str, message: Mapping[str, Any], *, delay: float = 0.0) -> str:
        """Take in a job and return its id; it is handed out after `delay` seconds at the earliest.

        `job_id`, `priority` (0 to 9, else 5) and `max_attempts` (else 3) are read from the message. An
        id that is known changes nothing, also after the job is done, as long as the message is the
        same; another one raises `Conflict`. Raises `QueueFull` and `InvalidInput`.
        """
        ...

    def dequeue(self, topic: str, visibility_timeout: float = 30.0) -> QueuedJob | None:
        """Hand out the next job for so many seconds; None where there is none."""
        ...

    def ack(self, job_id: str, receipt: str = "") -> None:
        """The job is done: it is not handed out any more."""
        ...

    def requeue(
        self, job_id: str, delay: float = 0.0, *, receipt: str = "", error: str = "", trace_id: str = ""
    ) -> QueuedJob:
        """The attempt failed: one more after `delay` seconds, or none; returns the job as it now stands."""
        ...

    def release(self, job_id: str, receipt: str = "", *, delay: float = 0.0) -> None:
        """Give the job back, to be handed out after `delay` seconds; the attempt does not count."""
        ...

    def extend(self, job_id: str, visibility_timeout: float, receipt: str = "") -> None:
        """Hold the job for so many seconds from now."""
        ...

    def bury(self, job_id: str, *, receipt: str = "", error: str = "", trace_id: str = "") -> QueuedJob:
        """The attempt failed in a way that another would not mend: the job is dead; returns it."""
        ...


@runtime_checkable
class QueueBooks(Protocol):
    """What people who look after a queue need; every backend of `QueueInterface` keeps these books too."""

    def counts(self) -> list[TopicCounts]:
        """How many jobs are in which state, by topic."""
        ...

    def jobs(self, state: str = "", *, topic: str = "", limit: int = 100) -> list[QueuedJob]:
        """Jobs in the order in which they came, those of one state or topic only."""
        ...

    def job(self, job_id: str) -> QueuedJob:
        """One job; raises `NotFound`."""
        ...

    def replay(self, job_id: str) -> QueuedJob:
        """Take a dead job back to the end of its line with all its attempts; raises `Conflict`."""
        ...

    def purge(self, state: str = "done", *, older_than: float = 0.0) -> int:
        """Forget done or dead jobs that ended so many seconds ago; returns how many."""
        ...


@runtime_checkable
class DispatcherProtocol(Protocol):
    """Runs functions within a bound on how many calls of an agent there are at once."""

    async def submit(self, agent_name: str, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a function, sync or async, in the agent's place; its result or exception is passed on."""
        ...


@runtime_checkable
class OrchestrationEngineProtocol(Protocol):
    """Runs a flow of nodes and answers with one envelope."""

    async def run_flow(self, flow: Sequence[Any], payload: Mapping[str, Any]) -> Envelope:
        """Hand the payload to the first node, each result to the next, and return the last as envelope."""
        ...


@runtime_checkable
class Orchestrator(Protocol):
    """What stands behind the name of a flow."""

    def run(self, payload: Mapping[str, Any]) -> Any:
        """Carry the flow out and return its envelope, or what has the form of one; may be async."""
        ...


@runtime_checkable
class AuditStore(Protocol):
    """Keeps what runs did: their final envelopes and the traces of their nodes."""

    def keep(self, record: RunRecord) -> None:
        """Put one attempt at a run on record; the same attempt again replaces it."""
        ...

    def attempts(self, run_id: str) -> list[RunRecord]:
        """Every attempt at a run, in order; none where the run is not known."""
        ...

    def runs(self, *, tenant: str = "", flow: str = "", limit: int = 100) -> list[RunRecord]:
        """The latest attempt at each run, latest run first, without its events."""
        ...

    def purge(self, older_than: float) -> int:
        """Forget runs that ended so many seconds ago; returns how many attempts."""
        ...
