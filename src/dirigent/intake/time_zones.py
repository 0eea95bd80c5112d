"""The time zones that this machine knows."""

from __future__ import annotations

import functools
import importlib.metadata
import zoneinfo
from collections.abc import Collection, Iterator
from pathlib import Path


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


@functools.cache
def tzdata_version() -> str:
    """Which release of the IANA database is read here, such as 2025b; empty where nobody says."""
    places = [Path(place) / "tzdata.zi" for place in zoneinfo.TZPATH]
    first = next((line for place in places if (line := _first_line(place))), "")
    return first.removeprefix("# version ").strip() or _version_of_package()


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline(200)
    except (OSError, UnicodeDecodeError):
        return ""


def _version_of_package() -> str:
    try:
        return importlib.metadata.version("tzdata")
    except importlib.metadata.PackageNotFoundError:
        return ""
