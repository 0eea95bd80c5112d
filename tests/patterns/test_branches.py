"""Patterns of branching and joining."""

from __future__ import annotations

import pytest

from dirigent import Dirigent
from dirigent.interpreter.loading import load_definition
from tests.patterns.recipes import Led, recipe

TWICE = """
name: twice
steps:
  - {id: left, type: wait_for_event, event: left}
  - {id: right, type: wait_for_event, event: right}
  - {id: both, type: transform}
connections:
  - {from: left, to: both}
  - {from: right, to: both}
"""
NESTED = """
name: nested
steps:
  - {id: start, type: transform, parameters: {n: "${input.n}"}}
  - {id: a, type: wait_for_event, event: a}
  - {id: b, type: wait_for_event, event: b}
  - {id: c, type: wait_for_event, event: c}
  - {id: inner, type: transform}
  - {id: outer, type: transform}
connections:
  - {from: start, to: a, condition: n > 0}
  - {from: start, to: b, condition: n > 1}
  - {from: start, to: c, condition: n > 2}
  - {from: a, to: inner}
  - {from: b, to: inner}
  - {from: inner, to: outer}
  - {from: c, to: outer}
  - {from: b, to: outer}
"""


@pytest.mark.parametrize(("grams", "way"), [(100, "letter"), (4000, "parcel"), (90_000, "freight")])
async def test_sequence(dirigent: Dirigent, grams: int, way: str) -> None:
    """One step after the other."""
    led = await Led.begin(dirigent, recipe("choice"), {"grams": grams})
    assert led.done == ["weigh", "way", way, "label"]


async def test_parallel_split(dirigent: Dirigent) -> None:
    """Both branches are under way at once."""
    led = await Led.begin(dirigent, recipe("split_and_join"), {"number": 7})
    assert led.are("waiting") == {"paid", "packed"}


@pytest.mark.parametrize("order", [("paid", "packed"), ("packed", "paid")])
async def test_synchronization(dirigent: Dirigent, order: tuple[str, str]) -> None:
    """The join waits for the last, whichever that is, and begins once."""
    led = await Led.begin(dirigent, recipe("split_and_join"), {"number": 7})
    await led.tell(order[0])
    assert (led.now.status, led.done) == ("running", ["order", order[0]])
    await led.tell(order[1])
    assert led.done == ["order", *order, "ship"]
    assert led.now.output == {"text": "Order 7 is on its way"}


async def test_exclusive_choice(dirigent: Dirigent) -> None:
    """Exactly one way is taken; the others are skipped."""
    led = await Led.begin(dirigent, recipe("choice"), {"grams": 4000})
    assert led.are("skipped") == {"letter", "freight"}


async def test_simple_merge(dirigent: Dirigent) -> None:
    """What follows begins with the one way that was taken, and reads what it gave."""
    led = await Led.begin(dirigent, recipe("choice"), {"grams": 4000})
    assert led.now.output == {"text": "4 kg by courier"}


@pytest.mark.parametrize(("level", "called"), [(1, 1), (2, 2), (3, 3)])
async def test_multi_choice(dirigent: Dirigent, level: int, called: int) -> None:
    """Any number of ways is taken."""
    led = await Led.begin(dirigent, recipe("several"), {"level": level})
    everybody = ["police", "fire_brigade", "ambulance"]
    assert led.are("waiting") == set(everybody[:called])


@pytest.mark.parametrize(("level", "called"), [(1, ["police"]), (2, ["fire_brigade", "police"])])
async def test_structured_synchronizing_merge(dirigent: Dirigent, level: int, called: list[str]) -> None:
    """It waits for those that were called, for nobody else, and none is forgotten."""
    led = await Led.begin(dirigent, recipe("several"), {"level": level})
    for number, name in enumerate(called, 1):
        await led.tell(name)
        assert ("report" in led.done) is (number == len(called))
    assert led.now.status == "completed"


async def test_nobody_called_nobody_merged(dirigent: Dirigent) -> None:
    """Where no way is taken the merge is skipped, and the run ends."""
    led = await Led.begin(dirigent, recipe("several"), {"level": 0})
    assert (led.now.status, led.done) == ("completed", ["alarm"])


async def test_multi_merge(dirigent: Dirigent) -> None:
    """Both ways are taken and the step runs once: it is not there."""
    led = await Led.begin(dirigent, load_definition(TWICE))
    await led.tell("left", "right")
    assert led.done == ["left", "right", "both"]


async def test_structured_discriminator(dirigent: Dirigent) -> None:
    """The first begins it, once; the run ends when the others have come, too."""
    led = await Led.begin(dirigent, recipe("first"))
    await led.tell("south")
    assert (led.now.status, led.done) == ("running", ["south", "go"])
    await led.tell("west", "north")
    assert (led.now.status, led.done) == ("completed", ["south", "go", "west", "north"])


async def test_blocking_discriminator(dirigent: Dirigent) -> None:
    """The second time round begins when all of the first have come, and then the first of it counts again."""
    led = await Led.begin(dirigent, recipe("rounds"))
    await led.tell("green", "red")
    assert led.done == ["rounds[0].green", "rounds[0].go", "rounds[0].red"]
    await led.tell("green")
    assert "rounds[1].green" not in led.now.steps
    await led.tell("blue")
    assert led.done[-3:] == ["rounds[0]", "rounds[1].green", "rounds[1].go"]
    await led.tell("red", "blue")
    assert led.now.output == {"round": 1, "iterations": 2, "exhausted": False}


async def test_cancelling_discriminator(dirigent: Dirigent) -> None:
    """The first begins it, and the others are waited for no longer."""
    led = await Led.begin(dirigent, recipe("first", join="any, cancel_rest: true"))
    await led.tell("south")
    assert (led.now.status, led.done) == ("completed", ["south", "go"])
    assert led.are("cancelled") == {"north", "west"}
    assert dirigent.engine.waiting(dirigent.settings.tenant) == []


async def test_structured_partial_join(dirigent: Dirigent) -> None:
    """Two of three begin it, once; the third comes to its end unheeded."""
    led = await Led.begin(dirigent, recipe("first", join="2"))
    await led.tell("south")
    assert led.done == ["south"]
    await led.tell("north")
    assert (led.now.status, led.done) == ("running", ["south", "north", "go"])
    await led.tell("west")
    assert (led.now.status, led.done.count("go")) == ("completed", 1)


async def test_blocking_partial_join(dirigent: Dirigent) -> None:
    """Two of three, each time round; the third is waited for before the next."""
    led = await Led.begin(dirigent, recipe("rounds", join="2"))
    await led.tell("green")
    assert "rounds[0].go" not in led.done
    await led.tell("red")
    assert led.done[-1] == "rounds[0].go"
    await led.tell("green", "red")
    assert "rounds[1].green" not in led.now.steps
    await led.tell("blue")
    assert led.done[-1] == "rounds[1].go"
    await led.tell("blue")
    assert led.now.status == "completed"


async def test_cancelling_partial_join(dirigent: Dirigent) -> None:
    """With the second the third is stopped, and the run ends."""
    led = await Led.begin(dirigent, recipe("first", join="2, cancel_rest: true"))
    await led.tell("south", "north")
    assert (led.now.status, led.done) == ("completed", ["south", "north", "go"])
    assert led.are("cancelled") == {"west"}


async def test_generalised_and_join(dirigent: Dirigent) -> None:
    """A way that could be taken twice is taken once; nothing is left over for a second join."""
    led = await Led.begin(dirigent, load_definition(TWICE))
    await led.tell("left", "left", "right")
    assert (led.now.status, led.done) == ("completed", ["left", "right", "both"])


@pytest.mark.parametrize(("n", "merges"), [(1, {"a": "inner outer"}), (2, {"a": "", "b": "inner outer"})])
async def test_local_synchronizing_merge(dirigent: Dirigent, n: int, merges: dict[str, str]) -> None:
    """Each join goes by what can still come to it, and needs to know nothing of the whole."""
    led = await Led.begin(dirigent, load_definition(NESTED), {"n": n})
    for name, begun in merges.items():
        before = len(led.done)
        await led.tell(name)
        assert led.done[before:] == [name, *begun.split()]
    assert led.now.status == "completed"


@pytest.mark.parametrize("order", ["abc", "bca", "cab", "cba"])
async def test_general_synchronizing_merge(dirigent: Dirigent, order: str) -> None:
    """Ways that meet without being nested: each join begins once, with the last that can come to it."""
    led = await Led.begin(dirigent, load_definition(NESTED), {"n": 3})
    for number, name in enumerate(order, 1):
        await led.tell(name)
        assert ("inner" in led.done) is ({"a", "b"} <= set(order[:number]))
        assert ("outer" in led.done) is (number == 3)
    assert (led.done.count("inner"), led.done.count("outer"), led.now.status) == (1, 1, "completed")


async def test_thread_split(dirigent: Dirigent) -> None:
    """As many threads as there are items, each with the steps of the block."""
    led = await Led.begin(dirigent, recipe("for_each"), {"parcels": ["A", "B"]})
    assert led.are("waiting") == {"parcels[0].carried", "parcels[1].carried"}


async def test_thread_merge(dirigent: Dirigent) -> None:
    """What follows the block runs once, when the last thread has ended."""
    led = await Led.begin(dirigent, recipe("for_each"), {"parcels": ["A", "B"]})
    await led.tell("carried", parcel="B")
    assert "ask[0].answer" not in led.now.steps
    await led.tell("carried", parcel="A")
    assert led.are("waiting") == {"ask[0].answer"}
