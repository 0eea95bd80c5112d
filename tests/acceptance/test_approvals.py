"""Approvals by several: who may decide, how many have to, and that nobody gets around it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dirigent import Context, Dirigent, Effect, Risk, action, agent
from dirigent.domain.errors import Conflict, Refused
from dirigent.domain.policy import Autonomy
from dirigent.domain.workflow import Definition
from dirigent.interpreter.loading import definition_from
from dirigent.settings import read_settings
from tests.acceptance.terminal import dirigent as command

RULES = """
policies:
- id: refund.two_of_finance
  applies_to: action
  when: action.action == 'refund' && action.inputs.amount > 500.0
  effect: require_approval
  approval: {roles: [finance], required: 2}
  reason: A refund over 500 needs two persons of finance.
  fix: ask finance
"""


@agent("bank", domain="test")
class Bank:
    """Gives money back."""

    def __init__(self) -> None:
        self.refunds: list[float] = []

    @action(risk=Risk.R2, effect=Effect.KEYED)
    async def refund(self, amount: float, ctx: Context) -> float:
        """Give so much back."""
        self.refunds.append(amount)
        return amount

    @action(risk=Risk.R4, effect=Effect.KEYED)
    async def pay(self, amount: float, ctx: Context) -> float:
        """Pay so much, which always asks a person."""
        self.refunds.append(-amount)
        return amount


def _asks(**keys: Any) -> Definition:
    ask = {"id": "ask", "type": "approval", "parameters": {"reason": "spend"}, **keys}
    return definition_from({"name": "asks", "steps": [ask, {"id": "b", "type": "transform"}]})


def _bank(name: str, amount: float) -> Definition:
    step = {
        "id": "s",
        "type": "agent",
        "agent_type": "bank",
        "action": name,
        "parameters": {"amount": amount},
    }
    return definition_from({"name": "bank", "steps": [step]})


async def _asked(dirigent: Dirigent, definition: Definition, **more: Any) -> str:
    reading = await dirigent.run(definition, **more)
    return dirigent.engine.approvals(execution=reading.execution_id)[0].approval_id


async def test_two_of_three_have_to_approve(tmp_path: Path) -> None:
    """It shows 1 of 2 in between, also after a restart; a person counts once, others not at all."""
    async with Dirigent(tmp_path) as dirigent:
        approval = await _asked(dirigent, _asks(required=2, approvers=["ann", "ben", "cid"]))
        row = await dirigent.engine.approve(approval, "ann", "good")
        assert (row.state, row.progress) == ("open", "1 of 2")
        with pytest.raises(Conflict, match="ann has decided"):
            await dirigent.engine.approve(approval, "ann")
        with pytest.raises(Conflict, match="ann has decided"):
            await dirigent.engine.reject(approval, "ann")
        with pytest.raises(Refused, match="dan is none of those who decide: ann, ben, cid"):
            await dirigent.engine.approve(approval, "dan")
    async with Dirigent(tmp_path) as dirigent:
        row = await dirigent.engine.approve(approval, "cid")
        reading = await dirigent.engine.rest(row.execution_id)
        assert (row.state, row.decided_by, row.progress) == ("approved", "ann, cid", "2 of 2")
        assert reading.status == "completed"
        with pytest.raises(Conflict, match="approved already"):
            await dirigent.engine.approve(approval, "ben")


async def test_all_at_the_same_moment_decide_once(tmp_path: Path) -> None:
    """Five persons at once where two have to: two count, the others come too late."""
    async with Dirigent(tmp_path) as dirigent:
        approval = await _asked(dirigent, _asks(required=2))
        said = await asyncio.gather(
            *(dirigent.engine.approve(approval, f"p{n}") for n in range(5)), return_exceptions=True
        )
        row = dirigent.engine.approval(approval)
    assert [isinstance(each, Conflict) for each in said] == [False, False, True, True, True]
    assert (row.state, row.decided_by) == ("approved", "p0, p1")


async def test_whoever_asked_has_no_say(tmp_path: Path) -> None:
    """Four eyes: the requester is refused, whoever else may decide."""
    async with Dirigent(tmp_path) as dirigent:
        approval = await _asked(dirigent, _asks(not_requester=True))
        with pytest.raises(Refused, match="asked for this"):
            await dirigent.engine.approve(approval, dirigent.settings.actor)
        with pytest.raises(Refused):
            await dirigent.engine.reject(approval, dirigent.settings.actor)
        assert (await dirigent.engine.approve(approval, "boss")).state == "approved"


async def test_a_role_is_needed_where_there_are_roles(tmp_path: Path) -> None:
    """Somebody without it is refused; where nobody logs in, nobody has roles and everybody may."""
    async with Dirigent(tmp_path) as dirigent:
        engine = dirigent.engine
        approval = await _asked(dirigent, _asks(parameters={"roles": ["approver"], "timeout": "24h"}))
        with pytest.raises(Refused, match="none of the roles that decide: approver"):
            await engine.approve(approval, "svc", roles=["service"])
        with pytest.raises(Refused):
            await engine.reject(approval, "svc", roles=[])
        assert (await engine.approve(approval, "ann", roles=["viewer", "approver"])).state == "approved"
        other = await _asked(dirigent, _asks(roles=["approver"]))
        assert (await engine.approve(other, "me")).state == "approved"


async def test_a_rule_asks_for_two_of_finance(tmp_path: Path) -> None:
    """A refund over 500 needs the role finance and two persons; a small one needs nobody."""
    (tmp_path / "rules.yaml").write_text(RULES)
    environment = {"DIRIGENT_POLICIES": str(tmp_path / "rules.yaml")}
    settings = read_settings(environment=environment, folder=tmp_path, data_folder=tmp_path / "data")
    bank = Bank()
    async with Dirigent(settings=settings, agents=[bank]) as dirigent:
        engine = dirigent.engine
        assert (await dirigent.run(_bank("refund", 500))).status == "completed"
        approval = await _asked(dirigent, _bank("refund", 501))
        row = engine.approval(approval)
        assert (row.deciders.roles, row.progress) == (("finance",), "0 of 2")
        with pytest.raises(Refused):
            await engine.approve(approval, "eve", roles=["sales"])
        for person in ("ann", "ben"):
            assert bank.refunds == [500]
            await engine.approve(approval, person, roles=["finance"])
        reading = await engine.rest(row.execution_id)
    assert (reading.status, bank.refunds) == ("completed", [500, 501])


async def test_other_inputs_are_asked_about_anew(tmp_path: Path) -> None:
    """An edit decides nothing but that something else is asked for; that very thing is then bound."""
    bank = Bank()
    async with Dirigent(tmp_path, agents=[bank]) as dirigent:
        engine = dirigent.engine
        approval = await _asked(dirigent, _bank("pay", 10))
        row = await engine.edit(approval, {"amount": 7}, "boss", "less")
        await engine.rest(row.execution_id)
        assert (row.state, bank.refunds) == ("edited", [])
        with pytest.raises(Conflict, match="edited already"):
            await engine.approve(approval, "boss")
        [again] = engine.approvals(execution=row.execution_id)
        assert (again.preview, again.payload_hash != row.payload_hash) == ({"amount": 7}, True)
        await engine.approve(again.approval_id, "boss")
        reading = await engine.rest(row.execution_id)
        with pytest.raises(Conflict, match="asks about no action"):
            await engine.edit(await _asked(dirigent, _asks()), {"x": 1}, "boss")
    assert (reading.status, bank.refunds) == ("completed", [-7])


async def test_progress_is_shown_over_http(dirigent: Dirigent, http: httpx2.AsyncClient) -> None:
    """Who has said what, and how many of how many; an edit needs its inputs."""
    approval = await _asked(dirigent, _asks(required=2), autonomy=Autonomy.L1)
    address = f"/api/v1/approvals/{approval}"
    first = await http.post(
        f"{address}/decide", json={"decision": "approve", "actor": "ann", "comment": "go"}
    )
    told = first.json()
    assert (told["state"], told["progress"], told["required"]) == ("open", "1 of 2", 2)
    assert [(vote["actor"], vote["decision"], vote["comment"]) for vote in told["votes"]] == [
        ("ann", "approved", "go")
    ]
    again = await http.post(f"{address}/decide", json={"decision": "approve", "actor": "ann"})
    assert (again.status_code, again.json()["code"]) == (409, "illegal_transition")
    bare = await http.post(f"{address}/decide", json={"decision": "edit"})
    assert (bare.status_code, bare.json()["code"]) == (422, "invalid_input")
    last = (await http.post(f"{address}/decide", json={"decision": "approve", "actor": "ben"})).json()
    assert (last["state"], last["decided_by"], last["progress"]) == ("approved", "ann, ben", "2 of 2")


def test_progress_is_shown_on_the_command_line(tmp_path: Path) -> None:
    """The list, the one approval and the answer to a decision say 1 of 2."""
    file, data = tmp_path / "asks.yaml", tmp_path / "data"
    file.write_text("name: asks\nsteps:\n  - {id: ask, type: approval, required: 2, approvers: [ann, ben]}\n")
    command("run", str(file), data=data)
    approval = command("approvals", "-o", "json", data=data).data[0]["approval_id"]
    assert "open (0 of 2)" in command("approvals", data=data).out
    said = command("approve", approval, "--comment", "go", data=data, USER="ann")
    assert "open (1 of 2)" in said.out
    shown = command("approvals", "show", approval, data=data).out
    assert "open (1 of 2)" in shown
    assert "approved by ann (go)" in shown
    assert "ann, ben" in shown
    refused = command("approve", approval, data=data, USER="eve")
    assert (refused.code, "none of those who decide" in refused.err) == (1, True)
    assert f"dirigent approve {approval} --as ben" in shown
    done = command("approve", approval, "--as", "ben", data=data, DIRIGENT_ACTOR="eve", USER="ann")
    assert "approved (2 of 2)" in done.out
