"""Whether any running execution may wait for an event of a type, without asking the journal each time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from dirigent.domain.patterns import ANY, matches
from dirigent.ports import Waiting


class WaitingNames:
    """What steps wait for, of all tenants. It may say yes too often, never no too often."""

    def __init__(self) -> None:
        self._steps: dict[str, dict[str, str]] = {}
        self._names: Counter[str] = Counter()
        self._patterns: Counter[str] = Counter()

    def take_up(self, waiting: Iterable[Waiting]) -> None:
        """Know what waited before this process began."""
        for one in waiting:
            self.awaited(one.execution_id, one.step, one.event)

    def awaited(self, execution_id: str, step: str, name: str) -> None:
        """A step waits for an event of a type or of a pattern of types."""
        self._remove(execution_id, step)
        self._steps.setdefault(execution_id, {})[step] = name
        self._counter(name)[name] += 1

    def wait_ended(self, execution_id: str, step: str) -> None:
        """A step waits no more."""
        self._remove(execution_id, step)

    def ended(self, execution_id: str) -> None:
        """Nothing of an execution waits any more."""
        for step in list(self._steps.get(execution_id, ())):
            self._remove(execution_id, step)

    def may_wait_for(self, type: str) -> bool:
        """Whether a step may wait for an event of this type."""
        return type in self._names or (
            bool(self._patterns) and any(matches(pattern, type) for pattern in self._patterns)
        )

    def __bool__(self) -> bool:
        return bool(self._steps)

    def _remove(self, execution_id: str, step: str) -> None:
        steps = self._steps.get(execution_id, {})
        name = steps.pop(step, None)
        if name is None:
            return
        if not steps:
            del self._steps[execution_id]
        counter = self._counter(name)
        counter[name] -= 1
        if not counter[name]:
            del counter[name]

    def _counter(self, name: str) -> Counter[str]:
        return self._patterns if ANY in name else self._names
