"""Circuit breakers: an agent that keeps failing is left alone for a while, per tenant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

FAILURES_TO_OPEN = 5
COOL_DOWN_MS = 30_000


@dataclass
class Circuit:
    """Failures in a row, and until when the circuit is open."""

    failures: int = 0
    open_until: int = 0
    probing: bool = False


class Breakers:
    """One circuit per tenant and agent. Opens after five failures in a row, probes after 30 seconds."""

    def __init__(self) -> None:
        self._circuits: dict[tuple[str, str], Circuit] = {}

    def allows(self, tenant: str, agent: str, now_ms: Callable[[], int]) -> bool:
        """Whether a call may go out; an open circuit lets one probe through after the cool-down."""
        circuit = self._circuits.get((tenant, agent))
        if circuit is None or circuit.failures < FAILURES_TO_OPEN:
            return True
        if now_ms() < circuit.open_until or circuit.probing:
            return False
        circuit.probing = True
        return True

    def succeeded(self, tenant: str, agent: str) -> None:
        """Close the circuit."""
        self._circuits.pop((tenant, agent), None)

    def broken_off(self, tenant: str, agent: str) -> None:
        """A call ended without telling anything; another may probe."""
        circuit = self._circuits.get((tenant, agent))
        if circuit is not None:
            circuit.probing = False

    def failed(self, tenant: str, agent: str, now_ms: int) -> None:
        """Count a transient failure; enough of them open the circuit."""
        circuit = self._circuits.setdefault((tenant, agent), Circuit())
        circuit.failures += 1
        circuit.probing = False
        if circuit.failures >= FAILURES_TO_OPEN:
            circuit.open_until = now_ms + COOL_DOWN_MS
