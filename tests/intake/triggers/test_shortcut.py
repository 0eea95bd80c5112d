"""Filters that certainly let an event go by: recognised only where CEL says the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirigent.intake.triggers.shortcut import passes_by
from dirigent.interpreter.expression import parse_expression

PATHS = st.sampled_from(
    ["event.data.a", "event.data.b", "event.type", "event.data.deep.c", "event.data.none"]
)
CONSTANTS = st.sampled_from(
    ["5", "-5", "0.5", "5.0", "'x'", '"y"', "''", "true", "false", "9007199254740993", "0x5", "5u"]
)
TERMS = st.one_of(
    st.tuples(PATHS, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), CONSTANTS).map(" ".join),
    st.sampled_from(
        ["has(event.data.a)", "event.data.b", "(event.data.a > 1 || true)", "size(event.type) > 1"]
    ),
    st.sampled_from(
        ["event.type in ['x', 'y']", "!(event.data.a == 5)", "event.data.a + 1 > 5", "'a&&b' == event.type"]
    ),
)
FILTERS = st.lists(TERMS, min_size=1, max_size=3).flatmap(
    lambda terms: st.sampled_from([" && ", " and ", " || "]).map(lambda joint: joint.join(terms))
)
VALUES = st.one_of(
    st.sampled_from(
        [5, -5, 0, 4.5, 5.0, "x", "y", "", True, False, None, [5], {"c": 5}, 2**60, 9007199254740993.0]
    ),
    st.integers(-10, 10),
    st.floats(-10, 10),
)


@given(FILTERS, VALUES, VALUES, VALUES)
def test_what_is_passed_by_is_false_in_cel(source: str, a: Any, b: Any, c: Any) -> None:
    """Whenever the shortcut says no, CEL says false: never true, and never an error."""
    scope = {"event": {"type": "x", "data": {"a": a, "b": b, "deep": {"c": c}}}}
    passes = passes_by(source)
    if passes is not None and passes(scope):
        assert parse_expression(source).holds(scope) is False


@pytest.mark.parametrize(
    ("source", "data", "passed"),
    [
        ("event.data.total > 100", {"total": 99}, True),
        ("event.data.total > 100", {"total": 101}, False),
        ("event.data.total > 100", {"total": "99"}, False),
        ("event.data.total > 100", {}, False),
        ('event.data.kind == "vip" && size(event.data.items) > 3', {"kind": "new"}, True),
        ('size(event.data.items) > 3 && event.data.kind == "vip"', {"kind": "new"}, True),
        ('event.data.kind != "vip"', {"kind": "vip"}, True),
        ("event.data.paid == true and event.data.total >= 2.5", {"paid": False, "total": 3}, True),
        ("event.data.total > -1", {"total": -2}, True),
    ],
)
def test_plain_comparisons_are_recognised(source: str, data: dict[str, Any], passed: bool) -> None:
    """One comparison that does not hold is enough; what cannot be told is left to CEL."""
    passes = passes_by(source)
    assert passes is not None
    assert passes({"event": {"data": data}}) is passed


@pytest.mark.parametrize(
    "source",
    [
        "event.data.a > 1 || event.data.b > 1",
        "event.data.a > 1 ? true : false",
        "!(event.data.a > 1)",
        "event.data['a'] > 1",
        "1 < event.data.a",
        "event.data.a > event.data.b",
        r"event.data.a == 'it\'s'",
        "event.data.a > 0x10",
        "event.data.items.exists(x, x > 1)",
        "event.data.a < 'x'",
    ],
)
def test_everything_else_is_left_to_cel(source: str) -> None:
    """What is not understood is not judged."""
    assert passes_by(source) is None
