"""What carries out the actions of steps, as a runtime sees it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol, runtime_checkable

from dirigent.execution.budget import Budgets
from dirigent.execution.registry import Registry
from dirigent.execution.request import Ledger, Request


@runtime_checkable
class StepExecutor(Protocol):
    """Takes a step's action and records in the ledger what became of it; `Dispatcher` is the one in use.

    `registry` are the agents it can reach, `budgets` what executions may still spend.
    """

    registry: Registry
    budgets: Budgets

    def dispatch(self, request: Request, ledger: Ledger) -> Coroutine[Any, Any, None]:
        """Take a step's action and record what became of it; raises only what nobody can go on from."""
        ...
