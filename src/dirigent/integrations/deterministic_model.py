"""The provider that stands where no model is configured: it answers nothing and proposes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from dirigent.ports import ModelReply


class DeterministicModel:
    """Says its name, costs nothing and leaves every decision to the rules."""

    @property
    def provider(self) -> str:
        """`deterministic`."""
        return "deterministic"

    async def ask(self, task: str, prompt: str, *, tools: Sequence[str] = ()) -> ModelReply:
        """An empty reply: the caller's rules stand."""
        _ = task, prompt, tools
        return ModelReply()
