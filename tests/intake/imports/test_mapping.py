"""What is wrong with an import.yaml is said with file, line, key, expectation and fix."""

import pytest

from dirigent.domain.errors import InvalidInput

GOOD = """\
version: 1
files:
  - file: lines.csv
    holds: order_lines
    columns:
      order_id: no
      ordered_at: at
      sku: sku
      quantity: quantity
      unit_price: price
      country: {column: country, values: {Norway: "NO"}}
    rules:
      - name: cancellation
        when: {order_id: {starts_with: C}}
        then: {kind: cancellation}
        reason: Taken back.
"""


def refused(shop, text: str) -> InvalidInput:
    shop.mapping_text(text)
    with pytest.raises(InvalidInput) as caught:
        shop.take()
    return caught.value


def test_a_good_mapping_is_taken(shop):
    """The text the other tests spoil is right."""
    shop.mapping_text(GOOD)
    assert shop.take_file().rows_taken == 3


@pytest.mark.parametrize(
    ("right", "wrong", "line", "key", "said"),
    [
        ("version: 1", "version: 2", 1, "version", "expected 1, not 2"),
        ("holds: order_lines", "holds: order_line", 4, "files.0.holds", "Did you mean 'order_lines'?"),
        ("holds:", "contains:", 3, "files.0.holds", "this key, which is missing"),
        ("      order_id: no\n", "", 6, "files.0.columns", "a column for order_id"),
        ("sku: sku", "sku: sku\n      skuu: sku", 9, "files.0.columns.skuu", "Did you mean 'sku'?"),
        ("sku: sku", "sku: 5", 8, "files.0.columns.sku", "not 5"),
        ('"NO"', "47", 11, "files.0.columns.country.values.Norway", "Put it in quotes."),
        ("starts_with: C", "begins_with: C", 14, "files.0.rules.0.when.order_id.begins_with", "a known key"),
        ("{starts_with: C}", "{}", 14, "files.0.rules.0.when.order_id", "a test"),
        (
            "{starts_with: C}",
            "{matches: '('}",
            14,
            "files.0.rules.0.when.order_id.matches",
            "a regular expression",
        ),
        (
            "order_id: {starts_with: C}",
            "quantity: {less_than: ten}",
            14,
            "files.0.rules.0.when.quantity",
            "a number",
        ),
        (
            "order_id: {starts_with: C}",
            "quantity: {less_than: null}",
            14,
            "files.0.rules.0.when.quantity",
            "a bound",
        ),
        (
            "order_id: {starts_with: C}",
            "sku: {less_than: 1}",
            14,
            "files.0.rules.0.when.sku",
            "numbers and times",
        ),
        (
            "order_id: {starts_with: C}",
            "quantity: {matches: a}",
            14,
            "files.0.rules.0.when.quantity",
            "for text",
        ),
        ("order_id: {starts_with: C}", "sku: 22", 14, "files.0.rules.0.when.sku", "a text in quotes, not 22"),
        (
            "order_id: {starts_with: C}",
            "sku: {in: [[a]]}",
            14,
            "files.0.rules.0.when.sku.in.0",
            "a text, number",
        ),
        (
            "order_id: {starts_with: C}",
            "ordered_at: 2011-01-01",
            14,
            "files.0.rules.0.when.ordered_at.equals",
            "not 2011-01-01. Put a date",
        ),
        (
            "order_id: {starts_with: C}",
            "ordered_at: soon",
            14,
            "files.0.rules.0.when.ordered_at",
            "an ISO date",
        ),
        (
            "order_id: {starts_with: C}",
            "colour: red",
            14,
            "files.0.rules.0.when.colour",
            "the name of a field",
        ),
        (
            "{kind: cancellation}",
            "{kind: gift}",
            15,
            "files.0.rules.0.then.kind",
            "one of sale, cancellation",
        ),
        (
            "{kind: cancellation}",
            "{set: {skuu: a}}",
            15,
            "files.0.rules.0.then.set.skuu",
            "the name of a field",
        ),
        (
            "{kind: cancellation}",
            "{set: {goods: maybe}}",
            15,
            "files.0.rules.0.then.set.goods",
            "true or false",
        ),
        (
            "{kind: cancellation}",
            "{refuse: true, kind: sale}",
            15,
            "files.0.rules.0.then",
            "refuse, note, or",
        ),
        ("{kind: cancellation}", "drop", 15, "files.0.rules.0.then", "not 'drop'"),
        ("reason: Taken back.", 'reason: ""', 16, "files.0.rules.0.reason", "at least 1 character"),
        ("file: lines.csv", "file: /etc/passwd", 3, "files.0.file", "a file name inside the folder"),
        ("holds:", "encoding: utf-9\n    holds:", 4, "files.0.encoding", "an encoding"),
        ("holds:", "encoding: rot13\n    holds:", 4, "files.0.encoding", "an encoding"),
        ("holds:", "delimiter: '\"'\n    holds:", 4, "files.0.delimiter", "a mark that separates"),
        ("holds:", "timezone: Europe/Rom\n    holds:", 4, "files.0.timezone", "a time zone"),
        ("holds:", "delimiter: '::'\n    holds:", 4, "files.0.delimiter", "at most 1 character"),
        ("holds:", "decimal: ';'\n    holds:", 4, "files.0.decimal", "'.' or ','"),
    ],
)
def test_a_mistake_is_told_with_its_place(shop, right, wrong, line, key, said):
    """File, line, key, what was expected and how to mend it."""
    assert right in GOOD
    error = refused(shop, GOOD.replace(right, wrong, 1))
    assert f"import.yaml line {line}, {key}: expected " in str(error)
    assert said in str(error)
    assert error.field == key


def test_all_mistakes_are_told_at_once(shop):
    """One look mends all."""
    error = refused(
        shop, GOOD.replace("holds: order_lines", "holds: orders").replace("reason: Taken back.", "why: x")
    )
    assert [line.split(",")[0] for line in str(error).splitlines()] == [
        "import.yaml line 4",
        "import.yaml line 13",
        "import.yaml line 16",
    ]


def test_no_is_norway(shop):
    """Only true and false are truth values, so that country codes and headings need no quotes."""
    shop.mapping_text(
        GOOD.replace('{Norway: "NO"}', "{DE: NO}").replace(
            "sku: sku", "sku: sku\n      customer_id: customer"
        )
    )
    shop.take()
    assert shop.fetch("customers", "country") == ["GB", "NO"]


def test_kinds_belong_to_order_lines(shop):
    """A rule cannot give a kind to a product."""
    text = """\
files:
  - file: lines.csv
    holds: products
    columns: {sku: sku}
    rules:
      - {name: a, when: {sku: b}, then: {kind: sale}, reason: c}
"""
    assert "import.yaml line 6, files.0.rules.0.then.kind: expected no kind" in str(refused(shop, text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "import.yaml is empty"),
        ("files: [", "import.yaml line 1, column 9: this is not YAML"),
        (
            "files: []\nversion: 1\nfiles: []\n",
            "import.yaml line 3: the key 'files' stands already on line 1",
        ),
        ("files: []\n", "import.yaml line 1, files: expected"),
        ("- a\n", "import.yaml line 1, the file: expected"),
        ("a: !!python/object/apply:os.system [true]\n", "this is not YAML"),
        ("# " + "x" * 2_000_000, "is larger than"),
    ],
)
def test_what_is_no_mapping_is_refused(shop, text, said):
    """Broken, empty, dangerous and huge files are told apart."""
    assert said in str(refused(shop, text))


def test_names_are_given_once(shop):
    """Reports name rules and files, so no two are called the same."""
    rule = GOOD[GOOD.index("      - name") :]
    assert "two are called 'cancellation'" in str(refused(shop, GOOD + rule))
    spec = GOOD[GOOD.index("  - file") :]
    assert "two are called 'lines.csv'" in str(refused(shop, GOOD + spec))


def test_a_missing_mapping_is_named(shop):
    """The error says what the file is for and where a model lies."""
    (shop.folder / "import.yaml").unlink()
    with pytest.raises(InvalidInput) as caught:
        shop.take()
    assert "There is no import.yaml" in caught.value.message
    assert "examples/wholesaler" in caught.value.fix
