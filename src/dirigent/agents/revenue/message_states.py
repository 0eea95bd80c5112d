"""The states of a stored message: drafted, then sent, then whatever the outside world answers."""

from __future__ import annotations

from typing import Final

DRAFT: Final = "draft"
SENT: Final = "sent"
MEETING: Final = "meeting"

REPLIED_STATES = ("replied", MEETING)
LEFT_STATES = (SENT, "delivered", *REPLIED_STATES, "bounced", "complained", "unsubscribed")
