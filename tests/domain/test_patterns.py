"""Names of events and patterns of names."""

import pytest

from dirigent.domain.patterns import is_name, is_pattern, matches


@pytest.mark.parametrize(
    ("pattern", "name", "meant"),
    [
        ("order.paid", "order.paid", True),
        ("order.paid", "order.paid.late", False),
        ("order.*", "order.paid", True),
        ("order.*", "order.paid.late", True),
        ("order.*", "order", False),
        ("order.*", "orders.paid", False),
        ("*.paid", "order.paid", True),
        ("*.paid", "shop.order.paid", False),
        ("order.*.late", "order.paid.late", True),
        ("order.*.late", "order.late", False),
        ("*", "anything.at.all", True),
    ],
)
def test_a_star_stands_for_one_part_and_at_the_end_for_more(pattern: str, name: str, meant: bool) -> None:
    """What is said of patterns holds at their edges."""
    assert is_pattern(pattern)
    assert is_name(name)
    assert matches(pattern, name) is meant


@pytest.mark.parametrize(
    "text", ["", "order paid", "order.p*", "**", "order..*", ".*", "x" * 201, "order.*."]
)
def test_what_is_neither_a_name_nor_a_pattern(text: str) -> None:
    """A star stands for whole parts; there is no empty part beside one."""
    assert not is_pattern(text)
    assert not is_name(text)
