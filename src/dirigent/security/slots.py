"""Places in a message that a template left open: `{{ first_name }}`, `[Company]`, `%LASTNAME%`."""

from __future__ import annotations

import re

_SLOT = re.compile(
    r"\{\{[^{}\n]{0,80}+\}\}|\{%[^{}\n]{0,80}?%\}|\$\{[^{}\n]{1,80}+\}|<<[^<>\n]{1,60}+>>"
    r"|\{[A-Za-z_][\w.]{0,40}+\}|%[A-Z][A-Z_]{2,30}+%|\*\|[A-Z_:]{2,30}+\|\*"
    r"|(?i:\[(?:your|first|last|full|company|customer|recipient|sender|insert|name|firma"
    r"|vorname|nachname|placeholder)"
    r"[ \w]{0,40}+\])|(?i:\blorem ipsum\b)|\b(?:TODO|FIXME|TBD|XXX)\b"
    r"|(?<=[Dd]ear )(?:None|null|undefined|nan)\b"
)


def unfilled_slots(text: str) -> tuple[str, ...]:
    """Every open place in the text, in order."""
    return tuple(match.group() for match in _SLOT.finditer(text))
