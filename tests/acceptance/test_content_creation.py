"""The printed workflow with the shipped agent: posts are written, judged, and made better where poor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dirigent import Dirigent
from dirigent.interpreter.reading import Reading

PRINTED = Path(__file__).parents[1] / "fixtures" / "002-01-content-creation-workflow.yaml"
LIMITS = {"x": 280, "threads": 500, "bluesky": 300, "instagram": 2200, "linkedin": 3000, "facebook": 63206}
LAUNCH = {"brand_id": "b-1", "content_topic": "New Product Launch"}
POOR = {
    "terms": ["single origin"],
    "banned_terms": ["cheap"],
    "key_messages": ["Our cheap beans are here"],
}


async def _printed(folder: Path, input: dict[str, Any]) -> Reading:
    async with Dirigent(folder) as dirigent:
        return await dirigent.run(PRINTED, input)


async def test_good_content_is_left_as_it_is(tmp_path: Path) -> None:
    """Of 75 points or more: the gate passes, and nothing is optimized."""
    reading = await _printed(tmp_path, LAUNCH)
    made = reading.steps["generate_content"].output
    assert reading.status == "completed"
    assert made["quality_score"] >= 75
    assert reading.steps["quality_gate"].output == {"result": True}
    assert reading.steps["optimize_content"].status == "skipped"
    for post in made["content"]:
        assert len("\n\n".join([post["text"], " ".join(post["hashtags"])])) <= LIMITS[post["platform"]]
        assert LAUNCH["content_topic"] in post["text"]


async def test_poor_content_is_made_better(tmp_path: Path) -> None:
    """Below 75 it is optimized: what was generated is handed on by name and scores higher."""
    reading = await _printed(tmp_path, {**LAUNCH, "guidelines": POOR})
    made, better = (reading.steps[name].output for name in ("generate_content", "optimize_content"))
    assert reading.status == "completed"
    assert reading.steps["quality_gate"].output == {"result": False}
    assert made["quality_score"] == better["quality_before"] < 75 <= better["quality_score"]
    assert [post["platform"] for post in better["content"]] == [post["platform"] for post in made["content"]]
    assert better["changes"]
    assert not any("cheap" in post["text"] for post in better["content"])
    assert all("single origin" in post["text"] for post in better["content"])


async def test_two_runs_write_the_same(tmp_path: Path) -> None:
    """Equal input, equal output, also in another house."""
    one = await _printed(tmp_path / "one", {**LAUNCH, "guidelines": POOR})
    other = await _printed(tmp_path / "other", {**LAUNCH, "guidelines": POOR})
    assert one.output == other.output


@pytest.mark.parametrize(
    ("said", "field"),
    [({"guidelines": {"mood": "loud"}}, "guidelines.mood"), ({"content_topic": "?!"}, "content_topic")],
)
async def test_a_brief_that_cannot_be_used_fails_the_step(tmp_path: Path, said: Any, field: str) -> None:
    """It is told which field, and nothing is written."""
    reading = await _printed(tmp_path, {**LAUNCH, **said})
    error = reading.steps["generate_content"].error
    assert reading.status == "failed"
    assert error is not None
    assert f"social-media-content.create_content: {field}" in error.message
