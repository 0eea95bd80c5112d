"""Times as they are shown: ISO 8601 in UTC with Z."""

from __future__ import annotations

from dirigent.domain.moments import iso as iso  # noqa: PLC0414  # routers take it from here


def iso_or_none(ms: int | None) -> str | None:
    """The same, where it may not have happened yet (None or 0)."""
    return iso(ms) if ms else None
