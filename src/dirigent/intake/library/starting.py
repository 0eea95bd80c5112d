"""Starting workflows on somebody's word: stored ones by name, others as they are, none twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypedDict, Unpack
from weakref import WeakValueDictionary

from dirigent.domain.canonical import digest_of, storable
from dirigent.domain.errors import InvalidInput
from dirigent.domain.ids import keyed_execution_id
from dirigent.domain.policy import Autonomy
from dirigent.domain.workflow import Definition
from dirigent.engine import Engine
from dirigent.intake.ingest import Intake
from dirigent.intake.library.store import WorkflowStore

REQUEST = "request"  # the label that holds the digest of what was asked for under a key


class Wishes(TypedDict, total=False):
    """What may be said of a start besides: see `Intake.run_workflow`."""

    actor: str
    autonomy: Autonomy | None
    budget: float | None
    trigger: str


class Starter:
    """Starts workflows for people and programs.

    Asked for again under the same `key` of the same tenant, it gives the execution of the first time,
    also where the workflow was changed or paused since; raises `InvalidInput` where the key stands for
    another request.
    """

    def __init__(self, engine: Engine, intake: Intake, library: WorkflowStore) -> None:
        self._engine = engine
        self._intake = intake
        self._library = library
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def start_stored(
        self,
        name: str,
        input: Mapping[str, Any] | None = None,
        *,
        tenant: str,
        version: int = 0,
        key: str = "",
        **wishes: Unpack[Wishes],
    ) -> str:
        """Start a stored workflow, the version in force or another, and return the execution's id.

        Raises `NotFound`, and `Conflict` where the workflow is paused.
        """

        async def start(execution_id: str, labels: Mapping[str, Any]) -> str:
            stored = self._library.startable(tenant, name, version)
            return await self._intake.run_workflow(
                stored.definition,
                input,
                tenant=tenant,
                version=stored.version.version,
                execution_id=execution_id,
                labels=labels,
                **wishes,
            )

        if not key:
            return await start("", {})
        workflow = self._library.find(tenant, name).name
        return await self._once(tenant, key, [workflow, version, dict(input or {}), wishes], start)

    async def start_written(
        self,
        definition: Definition,
        input: Mapping[str, Any] | None = None,
        *,
        tenant: str,
        key: str = "",
        **wishes: Unpack[Wishes],
    ) -> str:
        """Start a workflow that is not stored, and return the execution's id."""

        async def start(execution_id: str, labels: Mapping[str, Any]) -> str:
            return await self._intake.run_workflow(
                definition, input, tenant=tenant, execution_id=execution_id, labels=labels, **wishes
            )

        if not key:
            return await start("", {})
        return await self._once(tenant, key, [definition.content_hash, dict(input or {}), wishes], start)

    async def _once(
        self,
        tenant: str,
        key: str,
        request: list[Any],
        start: Callable[[str, Mapping[str, Any]], Awaitable[str]],
    ) -> str:
        """Whoever comes second waits until the first start is on stable storage, or has failed."""
        execution_id = keyed_execution_id(tenant, key)
        digest = digest_of(storable(request, "The request"))
        async with self._turns.setdefault(execution_id, asyncio.Lock()):
            if not self._engine.is_known(execution_id):
                return await start(execution_id, {REQUEST: digest})
        if self._engine.read(execution_id).started.labels.get(REQUEST) != digest:
            raise InvalidInput(
                f"The key {key!r} stands for another request.",
                fix="Take a new key for each request, and the same one only to send it again.",
                field="Idempotency-Key",
            )
        return execution_id
