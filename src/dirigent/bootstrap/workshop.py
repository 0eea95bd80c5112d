"""The queue of a data folder with its manager, its workers and its audit store."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

from dirigent.bootstrap.keys import folder_key
from dirigent.bootstrap.wiring import Pace, Worker
from dirigent.domain.errors import Conflict, NotFound
from dirigent.domain.job import TopicCounts
from dirigent.execution.registry import Registry
from dirigent.execution.worker_events import Emit
from dirigent.intake.campaign_manager import CampaignManager
from dirigent.intake.workflows import Workflow, files_of
from dirigent.ports import Clock
from dirigent.ports.queueing import Orchestrator
from dirigent.runtimes.clock import SystemClock
from dirigent.settings import Settings
from dirigent.storage.sqlite.audit import SqliteAudit
from dirigent.storage.sqlite.queue import SqliteQueue

QUEUE, AUDIT = "queue.db", "audit.db"
BUILT_IN_FLOWS = ("goal", "workflow", "delivery")


class Workshop:
    """Opens what it is asked for when it is asked for it: a folder without jobs has no queue.

    Any number of processes may have one over the same folder; the journal is not touched.
    """

    def __init__(self, settings: Settings, registry: Registry, clock: Clock) -> None:
        self._settings = settings
        self._folder = settings.data_folder
        self._registry = registry
        self._clock = clock

    @cached_property
    def queue(self) -> SqliteQueue:
        """The durable queue, in a file of its own that processes share."""
        return SqliteQueue(self._folder / QUEUE, self._clock, key=folder_key(self._settings))

    @cached_property
    def audit(self) -> SqliteAudit:
        """What runs did, beside the queue."""
        return SqliteAudit(self._folder / AUDIT, self._clock, key=folder_key(self._settings))

    @cached_property
    def manager(self) -> CampaignManager:
        """Takes triggers and enqueues their jobs."""
        return CampaignManager(
            registry=self._registry,
            queue=self.queue,
            audit=self.audit,
            clock=self._clock,
            new_id=lambda: uuid.uuid4().hex[:24],
            allow_delivery=self._settings.allow_delivery,
        )

    def worker(self, *, emit: Emit | None = None, **pace: Unpack[Pace]) -> Worker:
        """A worker on the queue; see `dirigent.execution.worker` for how it can be paced."""
        return Worker(self.queue, self._registry, audit=self.audit, emit=emit, clock=self._clock, **pace)

    def counts(self) -> list[TopicCounts]:
        """How many jobs are in which state, by topic; none where nothing was ever enqueued."""
        return self.queue.counts() if self.exists else []

    def check_flow(self, name: str) -> None:
        """Raise `NotFound` listing the flows there are, where this is none of them."""
        self._registry.resolve(name)

    def flows(self) -> list[str]:
        """The flows whose jobs a worker of this process takes."""
        return self._registry.flows.names()

    @property
    def exists(self) -> bool:
        """Whether anything was ever enqueued."""
        return (self._folder / QUEUE).is_file()

    def close(self) -> None:
        """Release what was opened."""
        for opened in ("queue", "audit"):
            if opened in self.__dict__:
                self.__dict__.pop(opened).close()
        self.__dict__.pop("manager", None)


class Elsewhere:
    """Stands for a flow that other processes run; here its jobs can only be handed in."""

    def __init__(self, name: str) -> None:
        self._name = name

    def run(self, payload: Mapping[str, Any]) -> Any:
        """Refuse."""
        raise Conflict(f"The flow {self._name!r} is run by the worker that holds the data folder.")


@contextmanager
def workshop_beside(settings: Settings, flows: Mapping[str, Orchestrator]) -> Iterator[Workshop]:
    """The queue of a data folder beside whoever holds it, with flows in code; the journal is not touched."""
    registry = Registry()
    for name, flow in flows.items():
        registry.register_flow(name, flow)
    shop = Workshop(settings, registry, SystemClock())
    with closing(shop):
        yield shop


def need_queue(folder: Path) -> None:
    """Raise `NotFound` where nothing was ever handed in."""
    if not (folder / QUEUE).is_file():
        error = NotFound(f"There is no queue in {folder}: no job was ever handed in there.")
        error.fix = "Hand one in with `dirigent queue add`, or name the folder with --data."
        raise error


def flows_elsewhere(settings: Settings) -> dict[str, Orchestrator]:
    """The flows that the engine's worker knows: goals, delivery, and the workflows of the settings."""
    names = [Workflow.load(file).definition.name for file in files_of(settings.workflows)]
    return {name: Elsewhere(name) for name in (*BUILT_IN_FLOWS, *names)}
