"""What every index of domain events has to pass. Subclass, say how it is made, and run pytest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from dirigent.domain.domain_event import DomainEvent, event_key
from dirigent.domain.event import EventPublished, StepCompleted
from dirigent.ports import EventIndex, Journal
from dirigent.testing.frame import pytest

Pair = tuple[Journal, EventIndex]


def happening(id: str, type: str = "deal.won", *, tenant: str = "t", data: Any = None) -> DomainEvent:
    """A small event that can be told from others."""
    return DomainEvent(id=id, source="crm", type=type, tenant=tenant, data=data)


async def publish(journal: Journal, *events: DomainEvent) -> None:
    """Append events to the streams of their tenants."""
    for number, event in enumerate(events):
        stream = f"events/{event.tenant}"
        await journal.append(stream, journal.head(stream), [EventPublished(at=number, event=event)])


class EventIndexConformance(ABC):
    """The promises of the port `EventIndex`."""

    @abstractmethod
    def make_pair(self, tmp_path: Path) -> Pair:
        """An empty journal and the index over it; the suite closes both."""

    @pytest.fixture
    async def pair(self, tmp_path: Path) -> AsyncIterator[Pair]:
        """The index under test and the journal that it reads."""
        journal, index = self.make_pair(tmp_path)
        yield journal, index
        await journal.close()
        getattr(index, "close", lambda: None)()

    async def test_begins_empty(self, pair: Pair) -> None:
        """Nothing is found where nothing was published, and asking for nothing is no error."""
        _, index = pair
        assert isinstance(index, EventIndex)
        assert index.positions([]) == {}
        assert index.positions([b"k" * 16]) == {}
        assert index.events() == []

    async def test_finds_an_event_by_its_key(self, pair: Pair) -> None:
        """A key leads to the position, whatever lies between the events, for many keys at once too."""
        journal, index = pair
        await publish(journal, happening("1"))
        await journal.append("e", 0, [StepCompleted(at=1, step="s", attempt=1)])
        await publish(journal, *(happening(str(number)) for number in range(2, 1200)))
        keys = {str(number): event_key("t", "crm", str(number)) for number in range(1, 1201)}
        found = index.positions(list(keys.values()))
        assert found[keys["1"]] == 1
        assert found[keys["2"]] == 3
        assert len(found) == 1199
        assert keys["1200"] not in found

    async def test_tells_tenants_and_sources_apart(self, pair: Pair) -> None:
        """The same id of another tenant is another event."""
        journal, index = pair
        await publish(journal, happening("1", tenant="a"), happening("1", tenant="b"))
        assert index.positions([event_key("b", "crm", "1"), event_key("a", "erp", "1")]) == {
            event_key("b", "crm", "1"): 2
        }

    async def test_gives_events_back_whole_and_in_order(self, pair: Pair) -> None:
        """What was published comes back equal, with its place, oldest or newest first."""
        journal, index = pair
        large = happening("2", data={"text": "x" * 20_000})
        await publish(journal, happening("1"), large, happening("3", tenant="u"))
        found = index.events()
        assert [recorded.event for recorded in found] == [
            EventPublished(at=0, event=happening("1")),
            EventPublished(at=1, event=large),
            EventPublished(at=2, event=happening("3", tenant="u")),
        ]
        assert [(recorded.position, recorded.stream, recorded.version) for recorded in found] == [
            (1, "events/t", 1),
            (2, "events/t", 2),
            (3, "events/u", 1),
        ]
        assert [recorded.position for recorded in index.events(newest=True, limit=2)] == [3, 2]

    async def test_comes_in_pages(self, pair: Pair) -> None:
        """`after` and `limit` walk over everything once."""
        journal, index = pair
        await publish(journal, *(happening(str(number)) for number in range(10)))
        assert [recorded.position for recorded in index.events(limit=4)] == [1, 2, 3, 4]
        assert [recorded.position for recorded in index.events(after=8, limit=4)] == [9, 10]
        assert index.events(after=10) == []

    async def test_narrows_by_tenant_and_type(self, pair: Pair) -> None:
        """A type may end in `.*`, which takes in all below and not those that merely begin alike."""
        journal, index = pair
        types = (
            "campaign.sent",
            "campaign.sent.again",
            "campaign",
            "campaigns.sent",
            "campaign/x",
            "order.paid",
        )
        await publish(
            journal, *(happening(type, type) for type in types), happening("u", "campaign.sent", tenant="u")
        )

        def ids(**narrowed: Any) -> list[str]:
            found = [recorded.event for recorded in index.events(**narrowed)]
            return [event.event.id for event in found if isinstance(event, EventPublished)]

        assert ids(type="campaign.*", tenant="t") == ["campaign.sent", "campaign.sent.again"]
        assert ids(type="campaign.sent") == ["campaign.sent", "u"]
        assert ids(tenant="u") == ["u"]
        assert ids(type="none") == []

    async def test_the_first_of_two_with_one_key_counts(self, pair: Pair) -> None:
        """Where one was appended twice past every check, the first one keeps its name."""
        journal, index = pair
        await publish(journal, happening("1"), happening("1"))
        assert index.positions([event_key("t", "crm", "1")]) == {event_key("t", "crm", "1"): 1}
