"""Circuit breakers: an agent that keeps failing is left alone for a while, per tenant."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from dirigent.domain.circuit_event import CircuitClosed, CircuitEvent, CircuitHalfOpened, CircuitOpened
from dirigent.domain.event_base import Event

FAILURES_TO_OPEN = 5
WINDOW, FAILURES_OF_WINDOW = 20, 10
COOL_DOWN_MS = 30_000

Place = tuple[str, str]


@dataclass
class Circuit:
    """Failures in a row, whether each of the last calls was answered, and until when the circuit is open."""

    in_a_row: int = 0
    answered: deque[bool] = field(default_factory=lambda: deque([True] * WINDOW, maxlen=WINDOW))
    open_until: int | None = None
    probing: bool = False


class Breakers:
    """One circuit per tenant and agent.

    Opens after five failures in a row, or when ten of the last twenty calls failed; lets one call through
    after 30 seconds, and closes when that is answered. `told` hears of every change.
    """

    def __init__(self, now_ms: Callable[[], int], told: Callable[[CircuitEvent], None] | None = None) -> None:
        self._now = now_ms
        self._told = told or (lambda _event: None)
        self._circuits: dict[Place, Circuit] = {}

    def restore(self, events: Iterable[Event]) -> None:
        """Open again what an earlier process left open; whoever probed then has told nothing."""
        for event in events:
            if isinstance(event, CircuitOpened):
                self._circuits[event.tenant, event.agent] = Circuit(open_until=event.until)
            elif isinstance(event, CircuitClosed):
                self._circuits.pop((event.tenant, event.agent), None)

    def open(self) -> list[Place]:
        """Tenants and agents between which a circuit is open."""
        return sorted(place for place, one in self._circuits.items() if one.open_until is not None)

    def allows(self, tenant: str, agent: str) -> bool:
        """Whether a call may go out; an open circuit lets one probe through after the cool-down."""
        circuit = self._circuits.get((tenant, agent))
        if circuit is None or circuit.open_until is None:
            return True
        now = self._now()
        if now < circuit.open_until or circuit.probing:
            return False
        circuit.probing = True
        self._told(CircuitHalfOpened(at=now, tenant=tenant, agent=agent))
        return True

    def succeeded(self, tenant: str, agent: str) -> None:
        """Count an answer; one to a probe closes the circuit, one to an older call says nothing."""
        circuit = self._circuits.get((tenant, agent))
        if circuit is None:
            return
        if circuit.open_until is None:
            circuit.in_a_row = 0
            circuit.answered.append(True)
            if all(circuit.answered):
                del self._circuits[tenant, agent]
        elif circuit.probing:
            del self._circuits[tenant, agent]
            self._told(CircuitClosed(at=self._now(), tenant=tenant, agent=agent))

    def broken_off(self, tenant: str, agent: str) -> None:
        """A call ended without telling anything; another may probe."""
        circuit = self._circuits.get((tenant, agent))
        if circuit is not None:
            circuit.probing = False

    def failed(self, tenant: str, agent: str) -> None:
        """Count a transient failure; enough of them, or that of a probe, open the circuit."""
        circuit = self._circuits.setdefault((tenant, agent), Circuit())
        if circuit.open_until is None:
            circuit.in_a_row += 1
            circuit.answered.append(False)
            failures = circuit.answered.count(False)
            if circuit.in_a_row >= FAILURES_TO_OPEN or failures >= FAILURES_OF_WINDOW:
                self._open(tenant, agent, failures)
        elif circuit.probing:
            self._open(tenant, agent, 1)

    def _open(self, tenant: str, agent: str, failures: int) -> None:
        now = self._now()
        until = now + COOL_DOWN_MS
        self._circuits[tenant, agent] = Circuit(open_until=until)
        self._told(CircuitOpened(at=now, tenant=tenant, agent=agent, failures=failures, until=until))
