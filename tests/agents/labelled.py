"""The labelled texts among the fixtures."""

from __future__ import annotations

import csv
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "fixtures" / "feedback"


def rows(name: str) -> list[dict[str, str]]:
    """The rows of one file, by the names of their columns."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
