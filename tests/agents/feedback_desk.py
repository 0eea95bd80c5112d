"""The feedback analyst, asked as the dispatcher asks it: plain data in, plain data out."""

from __future__ import annotations

from typing import Any

from dirigent.agents.feedback.analyst import FeedbackAnalystAgent
from dirigent.execution.registry import Registry
from dirigent.security.admission import Admission

REGISTRY = Registry([FeedbackAnalystAgent])


async def ask(action: str, **inputs: Any) -> dict[str, Any]:
    """Check the inputs, run the action in its admission, check and flatten the output."""
    known = REGISTRY.action("feedback-analyst", action)
    with Admission("feedback-analyst", known.spec, on_refusal=lambda *_: None):
        output = await known.invoke(known.read_inputs(inputs), None)
    told: dict[str, Any] = known.plain_output(output)
    return told


async def analyse(*texts: str | dict[str, Any], **inputs: Any) -> dict[str, Any]:
    """Analyse texts, or items; they are numbered where they have no id."""
    return await ask("analyze_feedback", items=items_of(*texts), **inputs)


async def answer(text: str = "", *, rating: float | None = None, **inputs: Any) -> dict[str, Any]:
    """The suggested answer to one text."""
    return await ask("generate_response", item={"id": "f-1", "text": text, "rating": rating}, **inputs)


def items_of(*texts: str | dict[str, Any]) -> list[dict[str, Any]]:
    """Items with ids, from texts or from items that may lack one."""
    given = [{"text": one} if isinstance(one, str) else one for one in texts]
    return [{"id": f"f-{number}", **one} for number, one in enumerate(given, 1)]
