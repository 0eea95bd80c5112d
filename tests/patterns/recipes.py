"""The examples of docs/patterns.md, and a run that the test leads step by step from outside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dirigent import Dirigent
from dirigent.domain.event import StepCompleted
from dirigent.domain.workflow import Definition
from dirigent.interpreter.loading import load_definition
from dirigent.interpreter.reading import Reading
from tests.acceptance.till import until

PATTERNS = Path(__file__).parents[2] / "docs" / "patterns.md"
TEXT = PATTERNS.read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```yaml file=(?P<name>\w+)\.yaml\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
RECIPES = {found["name"]: found["code"] for found in _BLOCK.finditer(TEXT)}


def recipe(name: str, **replaced: str) -> Definition:
    """An example of the document, with some of its text replaced: `join="2"` for `join: any`, say."""
    text = RECIPES[name]
    for key, value in replaced.items():
        changed = re.sub(rf"\b{key}: \w+", f"{key}: {value}", text)
        assert changed != text, f"{name} says nothing of {key}"
        text = changed
    return load_definition(text, source=f"{name}.yaml")


class Led:
    """One run whose waits the test ends one by one; every call returns when nothing moves any more."""

    def __init__(self, dirigent: Dirigent, first: Reading) -> None:
        self._dirigent = dirigent
        self.now = first

    @classmethod
    async def begin(
        cls, dirigent: Dirigent, definition: Definition, input: Mapping[str, Any] | None = None
    ) -> Led:
        """Start a run and go as far as it gets by itself."""
        return cls(dirigent, await dirigent.run(definition, input))

    @classmethod
    async def begin_with_a_timer(cls, dirigent: Dirigent, definition: Definition, *waits: str) -> Led:
        """Start a run and go on until it waits for these; while a timer runs a run is never at rest."""
        await dirigent.library.save(definition, tenant=dirigent.settings.tenant, actor="ann")
        run = await dirigent.start_stored(definition.name)
        begun = cls(dirigent, dirigent.engine.read(run))
        await until(lambda: set(waits) <= begun.read().are("waiting"))
        return begun

    def read(self) -> Led:
        """Look how it stands now."""
        self.now = self._dirigent.engine.read(self.now.execution_id)
        return self

    async def tell(self, *names: str, **data: Any) -> Led:
        """Send signals, one after the other, each with the same data."""
        for name in names:
            await self._dirigent.engine.signal(self.now.execution_id, name, data)
            self.now = await self._dirigent.engine.rest(self.now.execution_id)
        return self

    @property
    def done(self) -> list[str]:
        """The steps that gave a result, in this order; of items and times round `block[n].step`."""
        events = self._dirigent.engine.events(self.now.execution_id)
        return [event.step for event in events if isinstance(event, StepCompleted)]

    def are(self, status: str) -> set[str]:
        """The steps in a status."""
        return {name for name, step in self.now.steps.items() if step.status == status}
