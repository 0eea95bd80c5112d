"""Rules: which rows they mean, and what becomes of those."""

import pytest

ROWS = """\
1,2011-01-05 09:00:00,17,mug,MUG,2,1.50,GB
C2,2011-02-01 10:00:00,,pot,,-1,0,DE
"""


def rule(when, then="note", name="rule"):
    return {"name": name, "when": when, "then": then, "reason": "Because."}


def matched(shop, when) -> list[int]:
    """The lines a condition means."""
    shop.lines(ROWS)
    shop.mapping(rule(when))
    return [example.line for example in shop.take_file().rules[0].examples]


@pytest.mark.parametrize(
    ("when", "lines"),
    [
        ({"order_id": {"starts_with": "C"}}, [3]),
        ({"sku": {"starts_with": ["x", "mu"]}}, [2]),
        ({"sku": {"matches": "m.g"}}, [2]),
        ({"sku": {"matches": "m"}}, []),
        ({"description": {"matches": ".*"}}, [2]),
        ({"customer_id": {"blank": True}}, [3]),
        ({"customer_id": {"blank": False}}, [2]),
        ({"customer_id": None}, [3]),
        ({"sku": "pot"}, [3]),
        ({"sku": {"equals": "pot"}}, [3]),
        ({"unit_price": 0}, [3]),
        ({"sku": {"not_equals": "pot"}}, [2]),
        ({"country": {"in": ["DE", "FR"]}}, [3]),
        ({"country": {"not_in": ["DE", "FR"]}}, [2]),
        ({"quantity": {"less_than": 0}}, [3]),
        ({"quantity": {"greater_than": -2, "less_than": 2}}, [3]),
        ({"ordered_at": {"less_than": "2011-02-01"}}, [2]),
        ({"ordered_at": {"greater_than": "2011-02-01 09:00"}}, [3]),
        ({"customer_id": {"starts_with": "1"}, "quantity": {"less_than": 0}}, []),
        ({"kind": {"blank": True}, "goods": True}, [2, 3]),
    ],
)
def test_conditions_mean_what_they_say(shop, when, lines):
    """All tests of a rule must hold; a blank value is no text, no number and no time."""
    assert matched(shop, when) == lines


def test_a_rule_can_refuse(shop):
    """The row is not taken and counts under the rule."""
    shop.mapping(rule({"sku": "pot"}, "refuse"))
    report = shop.take_file()
    assert (report.rows_taken, report.rows_refused) == (2, 1)
    assert (report.rules[0].action, report.rules[0].reason) == ("refuse", "Because.")
    assert shop.fetch("orders", "order_id") == ["1"]


def test_a_rule_can_mend(shop):
    """The row is taken with the new value, and counted once however many rules mend it."""
    shop.mapping(
        rule({"country": "DE"}, {"set": {"country": "AT"}}, "a"),
        rule({"country": "AT"}, {"set": {"description": "Topf", "customer_id": None}}, "b"),
    )
    report = shop.take_file()
    assert (report.rows_taken, report.rows_mended) == (3, 1)
    assert [item.action for item in report.rules] == ["mend", "mend"]
    assert shop.fetch("products", "name") == ["MUG", "Topf"]
    assert shop.fetch("orders", "customer_id") == ["17", None]


def test_a_rule_can_mend_what_is_required(shop):
    """Whether a required field is blank is asked after the rules."""
    shop.lines("1,2011-01-05,17,,MUG,1,1,GB\n")
    shop.mapping(rule({"sku": {"blank": True}}, {"set": {"sku": "unknown"}}))
    assert shop.take_file().rows_taken == 1
    assert shop.fetch("order_lines", "sku") == ["unknown"]


def test_the_first_rule_that_gives_a_kind_decides(shop):
    """Later ones that would give another do not count the row."""
    shop.lines(ROWS)
    shop.mapping(
        rule({"order_id": {"starts_with": "C"}}, {"kind": "cancellation"}, "a"),
        rule({"quantity": {"less_than": 0}}, {"kind": "return"}, "b"),
    )
    report = shop.take_file()
    assert [(item.action, item.rows) for item in report.rules] == [("classify", 1), ("classify", 0)]
    assert report.rows_mended == 0
    assert shop.fetch("orders", "kind") == ["sale", "cancellation"]


def test_what_is_no_goods_is_no_product(shop):
    """A line marked so stays in the order and its value, and out of the catalogue."""
    shop.mapping(rule({"sku": "pot"}, {"set": {"goods": False}}))
    report = shop.take_file()
    assert (report.rules[0].action, report.rows_mended) == ("classify", 0)
    assert shop.fetch("products", "sku") == ["mug"]
    assert shop.fetch("orders", "value") == [6.0, 4.0]
    assert shop.fetch("order_lines", "goods") == [True, True, False]


def test_examples_are_limited_and_counts_are_not(shop):
    """The report of a file full of dirt stays small."""
    shop.lines("1,2011-01-05,17,mug,MUG,1,1,GB\n" * 250)
    shop.mapping(rule({"sku": "mug"}))
    (told,) = shop.take_file().rules
    assert told.rows == 250
    assert [example.line for example in told.examples] == list(range(2, 102))
