"""The time zones that this machine knows."""

from __future__ import annotations

import zoneinfo
from collections.abc import Collection, Iterator


class TimeZones(Collection[str]):
    """Every name of the IANA database; UTC is there even where the database is not."""

    def __contains__(self, name: object) -> bool:
        if name == "UTC":
            return True
        try:
            zoneinfo.ZoneInfo(str(name))
        except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        yield from sorted(zoneinfo.available_timezones() | {"UTC"})

    def __len__(self) -> int:
        return sum(1 for _ in self)


TIME_ZONES = TimeZones()
