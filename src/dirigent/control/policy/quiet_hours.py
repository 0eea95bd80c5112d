"""Whether it is a decent hour for a text or a call, on the recipient's own clock.

Every zone the recipient may be in is asked, and all must agree. Without a zone the answer is `unknown`,
which a rule treats as not now. State windows come from a vendor's table and want checking by counsel.

Sources: 47 CFR 64.1200(c)(1) (08:00 to 21:00 at the called party); Conn. Gen. Stat. 42-288a, Fla. Stat.
501.616, Tex. Bus. & Com. Code 302.053 and the like for the state windows.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

OPEN, CLOSED, UNKNOWN = "open", "closed", "unknown"

Window = tuple[int, int]

_FEDERAL: Window = (8, 21)
# Monday to Friday, Saturday, Sunday: from and to, in full hours.
_STATES: dict[str, tuple[Window, Window, Window]] = {
    "CT": ((9, 20), (9, 20), (9, 20)),
    **dict.fromkeys(("FL", "MD", "MS", "NJ", "OK"), ((8, 20), (8, 20), (8, 20))),
    "RI": ((9, 18), (10, 17), (10, 17)),
    "TX": ((9, 21), (9, 21), (12, 21)),
}
_ZONES: dict[str, tuple[str, ...]] = {
    "AT": ("Europe/Vienna",),
    "BE": ("Europe/Brussels",),
    "CH": ("Europe/Zurich",),
    "DE": ("Europe/Berlin",),
    "DK": ("Europe/Copenhagen",),
    "FR": ("Europe/Paris",),
    "GB": ("Europe/London",),
    "IE": ("Europe/Dublin",),
    "IT": ("Europe/Rome",),
    "JP": ("Asia/Tokyo",),
    "NL": ("Europe/Amsterdam",),
    "NO": ("Europe/Oslo",),
    "PL": ("Europe/Warsaw",),
    "SE": ("Europe/Stockholm",),
    "AU": (
        "Australia/Perth",
        "Australia/Darwin",
        "Australia/Adelaide",
        "Australia/Brisbane",
        "Australia/Sydney",
    ),
    "CA": (
        "America/Vancouver",
        "America/Edmonton",
        "America/Winnipeg",
        "America/Toronto",
        "America/St_Johns",
    ),
    "ES": ("Europe/Madrid", "Atlantic/Canary"),
    "PT": ("Europe/Lisbon", "Atlantic/Azores"),
    "US": (
        *(
            "Pacific/Honolulu",
            "America/Anchorage",
            "America/Los_Angeles",
            "America/Denver",
            "America/Phoenix",
        ),
        *("America/Chicago", "America/New_York", "America/Puerto_Rico"),
    ),
}


def calling_hours(now: datetime, timezone: str, country: str, state: str) -> str:
    """`open`, `closed` or `unknown` for a call or a text at this moment."""
    zones = [_zone(timezone)] if timezone else [_zone(name) for name in _ZONES.get(country, ())]
    known = [zone for zone in zones if zone is not None]
    if not known or len(known) < len(zones):
        return UNKNOWN
    return OPEN if all(_is_open(now.astimezone(zone), state) for zone in known) else CLOSED


def _is_open(local: datetime, state: str) -> bool:
    first, last = _STATES[state][max(0, local.weekday() - 4)] if state in _STATES else _FEDERAL
    return max(first, _FEDERAL[0]) <= local.hour < min(last, _FEDERAL[1])


@cache
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
