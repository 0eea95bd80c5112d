"""What people decide: approvals, and what became of effects."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from dirigent.domain.approval import APPROVE, REJECT
from dirigent.domain.canonical import storable
from dirigent.domain.errors import Conflict, InvalidInput, Refused
from dirigent.domain.event import ApprovalDecided, ApprovalVoted, ReadBackRequested, StepOutcomeResolved
from dirigent.engine.readings import Readings
from dirigent.interpreter.reading import StepReading
from dirigent.ports import ApprovalRow


class Decisions(Readings):
    """Approve, reject, edit, resolve and read back. What was acknowledged is on stable storage."""

    async def approve(
        self, approval_id: str, actor: str, comment: str = "", *, roles: Collection[str] | None = None
    ) -> ApprovalRow:
        """Let exactly what was shown go on. What leaves the house needs delivery to be on.

        Where several have to approve, this is one of them; nobody decides twice. `roles` are those of the
        actor, None where there is no log-in and so nobody has roles. Raises `Refused` for somebody who
        may not decide.
        """
        row = self._open_approval(approval_id, actor, roles)
        if row.kind == "hold" and not self._allow_delivery(row.tenant):
            raise Conflict(
                f"{row.agent}.{row.action} is held because delivery is off.",
                fix="Turn it on with DIRIGENT_ALLOW_DELIVERY=1, then approve again.",
            )
        if row.kind == "hold" and not self.read(row.execution_id).started.passport.delivery:
            raise Conflict(
                f"{row.agent}.{row.action} is held because its run was started without delivery.",
                fix="Reject it, and start a run that may deliver.",
            )
        return await self._decide(row, APPROVE, actor, comment)

    async def reject(
        self, approval_id: str, actor: str, comment: str = "", *, roles: Collection[str] | None = None
    ) -> ApprovalRow:
        """Say no; the step ends as rejected, once as many have said so as it takes."""
        return await self._decide(self._open_approval(approval_id, actor, roles), REJECT, actor, comment)

    async def edit(
        self,
        approval_id: str,
        inputs: Mapping[str, Any],
        actor: str,
        comment: str = "",
        *,
        roles: Collection[str] | None = None,
    ) -> ApprovalRow:
        """Have an action asked for with other inputs; what was asked before is decided by that.

        The action goes through every gate again, so a new approval binds what it would do now.
        """
        row = self._open_approval(approval_id, actor, roles)
        if row.kind == "step":
            raise Conflict(f"{row.step!r} asks about no action that could be edited.", fix="Reject it.")
        event = ApprovalDecided(
            at=self._in_time(row),
            step=row.step,
            approval_id=row.approval_id,
            decision="edited",
            actor=actor,
            comment=comment,
            inputs=storable(dict(inputs), "The inputs"),
        )
        await self.runtime.deliver(row.execution_id, event)
        return self.approval(row.approval_id)

    async def resolve(
        self,
        execution_id: str,
        step: str,
        *,
        happened: bool,
        actor: str,
        output: Any = None,
        attempt: int | None = None,
    ) -> None:
        """Say what became of an effect whose outcome nobody knew.

        Where it is the effect of a call that the step's action made, the output is that of the call, and
        the action is run once more. With `attempt` the word holds for that attempt only, so that saying it
        again, when another attempt has lost its outcome meanwhile, raises `Conflict` and decides nothing.
        """
        found = self._unclear(execution_id, step)
        if attempt is not None and attempt != found.attempts:
            raise Conflict(
                f"Attempt {attempt} of {step!r} is settled; attempt {found.attempts} waits for its outcome.",
                fix="Look again, then say what became of that one.",
            )
        await self.runtime.deliver(
            execution_id,
            StepOutcomeResolved(
                at=self._clock.now_ms(),
                step=step,
                attempt=found.attempts,
                happened=happened,
                actor=actor,
                output=output,
                call=found.unclear_call,
            ),
        )

    async def read_back(self, execution_id: str, step: str, *, actor: str) -> None:
        """Have it looked now whether an effect of unknown outcome happened; what is found settles it.

        Returns when the wish is on stable storage. Raises `Conflict` for what cannot be read back.
        """
        found = self._unclear(execution_id, step)
        open_ones = self.unknown_outcomes(execution=execution_id)
        if not any(row.lookup for row in open_ones if (row.execution_id, row.step) == (execution_id, step)):
            raise Conflict(
                f"{found.agent}.{found.action} cannot be read back.",
                fix="Find out from the receiver, then say what happened.",
            )
        now = self._clock.now_ms()
        asked = ReadBackRequested(at=now, step=step, attempt=found.attempts, actor=actor)
        await self.runtime.deliver(execution_id, asked)

    def _unclear(self, execution_id: str, step: str) -> StepReading:
        found = self.read(execution_id).steps.get(step)
        if found is None or found.status != "outcome_unknown":
            raise InvalidInput(f"The step {step!r} does not wait for its outcome.", field="step")
        return found

    def _open_approval(self, approval_id: str, actor: str, roles: Collection[str] | None) -> ApprovalRow:
        row = self.approval(approval_id)
        if row.state != "open":
            raise Conflict(f"The approval {approval_id!r} is {row.state} already.")
        requester = self.read(row.execution_id).started.passport.actor
        if objection := row.deciders.objection(actor, roles, requester):
            raise Refused(objection, rules=("approval.not_yours",), fix="Ask one of those who decide.")
        return row

    def _in_time(self, row: ApprovalRow) -> int:
        now = self._clock.now_ms()
        if now > row.expires_at:
            raise Conflict(
                f"The time to decide about {row.approval_id!r} has passed.",
                fix="The step ends as expired; start it anew if it is still wanted.",
            )
        return now

    async def _decide(self, row: ApprovalRow, decision: str, actor: str, comment: str) -> ApprovalRow:
        alone = row.deciders.required == row.deciders.reject_after == 1
        said = ApprovalDecided if alone else ApprovalVoted
        event = said(
            at=self._in_time(row),
            step=row.step,
            approval_id=row.approval_id,
            decision=decision,
            actor=actor,
            comment=comment,
            payload=row.payload_hash,
        )
        await self.runtime.deliver(row.execution_id, event)
        return self.approval(row.approval_id)
