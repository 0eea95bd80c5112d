"""The printed workflows about feedback, run as they are by the agents that come with Dirigent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dirigent import Dirigent, Workflow
from dirigent.settings import Settings

PRINTED = Path(__file__).parents[1] / "fixtures" / "002-16-workflow-types.yaml"
BY_TYPE = yaml.safe_load(PRINTED.read_text(encoding="utf-8"))["workflows"]
BAD = {"id": "r-1", "text": "Terrible service, broken and useless. I hate it!", "rating": 1}
GOOD = {"id": "r-2", "text": "Lovely, I am very happy with it", "rating": 5}


def printed(name: str, dirigent: Dirigent) -> Workflow:
    found = next(one["workflow"] for one in BY_TYPE if one["workflow"]["name"] == name)
    return Workflow.parse(yaml.safe_dump({"workflow": found}), actions=dirigent.registry.known_actions())


@pytest.mark.parametrize(
    ("item", "runs", "skipped"), [(BAD, "escalate", "thank"), (GOOD, "thank", "escalate")]
)
async def test_the_printed_gate(tmp_path: Path, item: dict[str, Any], runs: str, skipped: str) -> None:
    """Bad feedback raises an alert, for good feedback thanks are suggested; the run says which feedback."""
    async with Dirigent(settings=Settings(data_folder=tmp_path)) as dirigent:
        reading = await dirigent.run(printed("quality gate", dirigent), {"items": [item], "item": item})
        alerts = dirigent.records.fetch("default", "notices", where={"kind": "alert"})
    assert reading.status == "completed"
    assert (reading.steps[runs].status, reading.steps[skipped].status) == ("succeeded", "skipped")
    assert len(alerts) == (runs == "escalate")
    if runs == "thank":
        assert reading.steps["thank"].output["suggestion"]["subject"] == "Thank you for your feedback"


async def test_the_printed_reaction(tmp_path: Path) -> None:
    """One run for each event, which sorts what the event brings; feedback that is none fails by name."""
    async with Dirigent(settings=Settings(data_folder=tmp_path)) as dirigent:
        dirigent.arm(printed("feedback reaction", dirigent))
        said = {"items": [{"id": "r-3", "text": "The parcel was two weeks late"}]}
        for name, data in (("e1", said), ("e1", said), ("e2", {"items": [{"id": "r-4", "stars": 3}]})):
            event = {"type": "feedback.received", "source": "shop", "id": name, "data": data}
            await dirigent.publish(event)
        readings = [await dirigent.engine.rest(row.execution_id) for row in dirigent.engine.executions()]
    failed, sorted_ = readings
    assert sorted_.output["categories"][0]["category"] == "delivery"
    assert failed.status == "failed"
    assert failed.error is not None
    assert "stars" in failed.error.message


async def test_three_thousand_items_in_one_step(tmp_path: Path) -> None:
    """The analysis blocks nobody: it runs beside the loop, and its output is journalled whole."""
    texts = ("Lovely tea", "Terrible, a waste of money", "It came on Tuesday")
    items = [{"id": f"r-{number}", "text": f"{texts[number % 3]} {number}"} for number in range(3_000)]
    step = {"id": "read", "type": "agent", "agent": "feedback-analyst", "action": "analyze_feedback"}
    flow = Workflow.parse(yaml.safe_dump({"name": "many", "steps": [step]}))
    async with Dirigent(settings=Settings(data_folder=tmp_path)) as dirigent:
        reading = await dirigent.run(flow, {"items": items})
    assert reading.status == "completed"
    assert reading.output["labels"] == {"positive": 1_000, "neutral": 1_000, "negative": 1_000}
