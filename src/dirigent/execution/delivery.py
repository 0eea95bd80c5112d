"""How an action reaches the outbox: only while it is admitted, and only if it is declared outward."""

from __future__ import annotations

from pathlib import Path

from dirigent.domain.errors import Refused
from dirigent.ports import Outbox
from dirigent.security.admission import current_admission


def deliver_admitted(outbox: Outbox, message_id: str, content: bytes) -> Path:
    """Put a message out; refused where the running call was not admitted as outward."""
    admission = current_admission()
    if admission is None or not admission.action.outward:
        if admission is not None:
            admission.on_refusal("outbox", "deliver")
        raise Refused("Only an action declared outward may deliver.", rules=("dispatcher.only_way",))
    return outbox.deliver(message_id, content)
