"""Executions that take over from others what these have done."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from dirigent.domain.canonical import storable
from dirigent.domain.errors import Conflict
from dirigent.domain.event import ExecutionStarted
from dirigent.engine.readings import Readings
from dirigent.interpreter.forking import fork_of
from dirigent.interpreter.graph import build_graph
from dirigent.interpreter.inputs import check_input

FIRING = ("trigger", "cause")  # labels by which a trigger finds what it started
WITHOUT_RESULT = frozenset({"failed", "blocked", "rejected", "cancelled"})


class Forks(Readings):
    """Fork an execution, or retry one that ended without its result."""

    async def fork(
        self,
        execution_id: str,
        actor: str,
        *,
        at: int | str | None = None,
        edits: Mapping[str, Any] | None = None,
        input: Mapping[str, Any] | None = None,
        again: Collection[str] = (),
        trigger: str = "fork",
    ) -> str:
        """Start an execution that takes over from another what its steps gave, and does the others itself.

        `at` is a version of its history, or the step before which it is forked; without it all is kept
        that was settled. `edits` gives steps other outputs, `input` takes the place of the whole input.
        Nothing that is kept is done again; what was undone is. An effect whose end nobody knows is done
        again under its key where it has one; otherwise `Conflict` asks for its output in `edits`, or for
        its step in `again`. Raises `InvalidInput` for steps and versions that do not exist.
        """
        events = self.events(execution_id)
        before = events[0]
        assert isinstance(before, ExecutionStarted), "every execution starts with its start"
        if before.parent:
            root = execution_id.partition("/")[0]
            raise Conflict(f"{execution_id!r} belongs to {root!r}.", fix="Fork that one.")
        definition = self._definition(before.definition)
        kept = storable(dict(edits or {}), "The edits")
        fork = fork_of(build_graph(definition), events, at=at, edits=kept, again=again, exists=self.is_known)
        now = self._clock.now_ms()
        forked = self.new_execution_id()
        given = before.input if input is None else storable(check_input(definition, input), "The input")
        passport = msgspec.structs.replace(before.passport, actor=actor, correlation=forked)
        started = ExecutionStarted(
            at=now,
            execution_id=forked,
            workflow=before.workflow,
            definition=before.definition,
            input=given,
            passport=passport,
            trigger=trigger,
            labels={name: said for name, said in before.labels.items() if name not in FIRING},
            forked_from=execution_id,
            forked_at=fork.version,
            kept=fork.kept,
            unsettled=fork.unsettled,
        )
        await self.runtime.submit(definition, started)
        return forked

    async def retry(
        self, execution_id: str, actor: str, *, step: str | None = None, again: Collection[str] = ()
    ) -> str:
        """Do what an execution left undone that ended without its result: a fork of it, linked to it.

        With `step` that step and everything behind it is done again as well.
        """
        status = self.row(execution_id).status
        if status not in WITHOUT_RESULT:
            raise Conflict(f"{execution_id!r} is {status}.", fix="Fork it to do some of its steps again.")
        return await self.fork(execution_id, actor, at=step, again=again, trigger="retry")
