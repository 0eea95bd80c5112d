"""The delivery gate with autonomy, approval and policy: what really leaves, counted at the sink."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from dirigent import Dirigent
from dirigent.domain.errors import Conflict
from dirigent.domain.policy import Autonomy
from dirigent.interpreter.reading import Reading
from dirigent.settings import Config, Settings
from tests.acceptance.books import small_books

TENANT = "org_123"
EXAMPLE = Path(__file__).parent.parent / "fixtures" / "examples" / "004-06-delivery-gate.yaml"
CASES = yaml.safe_load(EXAMPLE.read_text())["cases"]
GOAL = {"goal_type": "REVIVE_PIPELINE", "constraints": {"autonomy_level": "L1"}, "org_id": TENANT}


def _named(case: dict[str, Any]) -> str:
    return "-".join(f"{name}={value}" for name, value in case.items() if name != "note")


@pytest.fixture(scope="module")
def drafted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with drafts that nobody has sent."""
    folder = tmp_path_factory.mktemp("drafted") / "data"
    asyncio.run(_draft(folder))
    return folder


async def _draft(folder: Path) -> None:
    async with _system(folder, allow_delivery=False) as dirigent:
        small_books(dirigent, TENANT)
        await dirigent.process_goal(GOAL)


def _system(folder: Path, *, allow_delivery: bool) -> Dirigent:
    config = Config(maxAutonomyPerOrg={"default": Autonomy.L3})
    return Dirigent(settings=Settings(data_folder=folder, allow_delivery=allow_delivery, config=config))


@pytest.mark.parametrize("case", CASES, ids=_named)
async def test_the_printed_cases(drafted: Path, tmp_path: Path, case: dict[str, Any]) -> None:
    """One message by way of queue, worker and dispatcher; what left is counted in the outbox."""
    folder = shutil.copytree(drafted, tmp_path / "data")
    async with _system(folder, allow_delivery=bool(case["allow_delivery"])) as dirigent:
        message = dirigent.records.fetch(TENANT, "messages", order_by="message_id")[0]
        if case.get("policy") == "block":
            contact = dirigent.records.fetch(TENANT, "contacts", where={"contact_id": message["lead_id"]})[0]
            dirigent.records.save(TENANT, "contacts", [{**contact, "opted_out": True}])
        reading = await _delivered(dirigent, str(message["message_id"]), case)
        if case.get("approved"):
            (row,) = dirigent.engine.approvals(TENANT, execution=reading.execution_id)
            await dirigent.engine.approve(row.approval_id, "boss")
            reading = await dirigent.engine.rest(reading.execution_id)
        assert _outcome(dirigent, reading) == case["expect"]
    letters = [letter.stem for letter in (folder / "outbox").glob("*.eml")]
    assert letters == ([message["message_id"]] if case["expect"] == "sent" else [])


async def _delivered(dirigent: Dirigent, message_id: str, case: dict[str, Any]) -> Reading:
    """Hand the message to the flow `delivery` and work on its job."""
    payload = {"org_id": TENANT, "message_ids": [message_id], "confidence": case.get("confidence")}
    event = {"flow": "delivery", "allow_delivery": case["allow_delivery"]}
    run = dirigent.work.manager.ingest_event(
        {**event, "payload": {**payload, "autonomy": case.get("autonomy")}}
    )
    worked = await dirigent.work.worker().work_once()
    assert worked is not None
    assert worked.outcome == "success", worked.error
    assert worked.envelope is not None
    assert worked.envelope.validate().metadata["status"] in ("ok", "held", "partial")
    return dirigent.engine.read(run.run_id)


def _outcome(dirigent: Dirigent, reading: Reading) -> str:
    """What the journal says became of the message, in the words of the cases."""
    step = reading.steps["deliver[0]"]
    if step.status == "succeeded":
        return "sent"
    if step.error is not None and step.error.code == "policy_denied":
        return "blocked"
    (row,) = dirigent.engine.approvals(TENANT, execution=reading.execution_id)
    return {"hold": "held", "approval": "awaiting_approval"}[row.kind]


async def test_a_run_without_delivery_is_held_in_a_house_that_delivers(drafted: Path, tmp_path: Path) -> None:
    """A trigger that says no is heard: the message is held, and not even a person lets it go in this run."""
    folder = shutil.copytree(drafted, tmp_path / "data")
    async with _system(folder, allow_delivery=True) as dirigent:
        message = dirigent.records.fetch(TENANT, "messages", order_by="message_id")[0]
        case = {"allow_delivery": False, "autonomy": "L3", "confidence": 0.9}
        reading = await _delivered(dirigent, str(message["message_id"]), case)
        (row,) = dirigent.engine.approvals(TENANT, execution=reading.execution_id)
        assert (row.kind, row.reason) == ("hold", "allow_delivery is off for this run")
        with pytest.raises(Conflict, match="started without delivery"):
            await dirigent.engine.approve(row.approval_id, "boss")
    assert not list((folder / "outbox").glob("*.eml"))
