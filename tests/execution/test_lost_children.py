"""An execution that started one which nobody can read any more."""

from __future__ import annotations

from pathlib import Path

from dirigent import Dirigent
from dirigent.domain.event import ChildEnded
from dirigent.domain.workflow import Definition, Kind, Step
from dirigent.engine import Start
from tests.storage.journals import database

PARENT = Definition(name="parent", steps=(Step(id="child", kind=Kind.SUBWORKFLOW, workflow="${input.plan}"),))
CHILD = {"name": "child", "steps": [{"id": "ask", "type": "approval"}]}


async def test_it_can_be_cancelled(tmp_path: Path) -> None:
    """It waits for whoever mends the child; once it is cancelled it says what was lost, and ends."""
    async with Dirigent(tmp_path) as dirigent:
        start = Start(definition=PARENT, tenant="t", actor="a", execution_id="e", input={"plan": CHILD})
        await dirigent.engine.start(start)
        await dirigent.engine.rest("e")
    with database(tmp_path) as connection:
        connection.execute(
            "UPDATE events SET body = x'00' WHERE stream = (SELECT id FROM streams WHERE name = 'e/child')"
        )
    async with Dirigent(tmp_path) as dirigent:
        assert "e/child" in dirigent.runtime.damaged
        await dirigent.engine.cancel("e", "anna")
        reading = await dirigent.engine.rest("e")
        assert reading.status == "cancelled"
        [told] = [event for event in dirigent.engine.events("e") if isinstance(event, ChildEnded)]
        assert told.error is not None
        assert told.error.code == "journal_damaged"
