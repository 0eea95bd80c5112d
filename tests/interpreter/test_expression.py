"""Expressions: what they give, and that whatever has no value is an error and never a truth value."""

import re
import subprocess
import sys

import pytest

from dirigent.domain.errors import ExpressionError
from dirigent.interpreter.expression import Expression, parse_expression
from dirigent.interpreter.template import compile_template, has_open_hole
from dirigent.interpreter.tokens import paths_read, tokenize

MAP_OF_MANY = {f"k{number:02}": number for number in range(40)}

VALUES = [
    ("quality_score >= 75", {"quality_score": 75}, True),
    ("quality_score >= 75", {"quality_score": 74.9}, False),
    ('quality_score >= 75 and platform in ["x"]', {"quality_score": 80, "platform": "x"}, True),
    ("a or b and c", {"a": True, "b": False, "c": False}, True),
    ("a.and == 1", {"a": {"and": 1}}, True),
    ('word == "and"', {"word": "and"}, True),
    ("steps.a.n + steps['b-c'].n", {"steps": {"a": {"n": 1}, "b-c": {"n": 2}}}, 3),
    ("has(input.x) && input.x.y > 1", {"input": {}}, False),
    ('text.contains("ell")', {"text": "hello"}, True),
    ('text.matches("^h.*o$")', {"text": "hello"}, True),
    ('contains_any(text, ["HELL", "x"])', {"text": "hello"}, True),
    ("size(items)", {"items": [1, 2, 3]}, 3),
    ("items.filter(i, i > 1).map(i, i * 2)", {"items": [1, 2, 3]}, [4, 6]),
    ("items.exists(i, i.n == 2)", {"items": [{"n": 1}, {"n": 2}]}, True),
    ("2.0 * double(n)", {"n": 3}, 6.0),
    ("n > 2.5", {"n": 3}, True),
    ("type(x) == list ? size(x) : 1", {"x": [1, 2]}, 2),
    ('{"b": n, "a": [n]}', {"n": 1}, {"a": [1], "b": 1}),
    ("x == null", {"x": None}, True),
    ("'a' + \"b\" // a comment about nothing", {}, "ab"),
]


@pytest.mark.parametrize(("source", "data", "expected"), VALUES)
def test_an_expression_gives_its_value(source, data, expected) -> None:
    """What can be computed is computed, and is plain data."""
    assert parse_expression(source).evaluate(data) == expected


NO_VALUE = [
    ("quality_score >= 75", {}, "needs quality_score"),
    ("steps.a.score > 1", {"steps": {}}, "there is no 'a' in it. Where it may be missing"),
    ("steps.a.score > 1", {"steps": {"a": {}}}, "there is no 'score' in it"),
    ("items[3]", {"items": [1]}, "item 3, counted from 0, of a list of 1"),
    ("1 / 0", {}, "divide by zero"),
    ("n * 2.5", {"n": 3}, "'*' does not take a whole number and a fractional number. Both sides"),
    ("n * 2", {"n": 3.5}, "'*' does not take a fractional number and a whole number"),
    ("n < 'a'", {"n": 1}, "'<' does not take a whole number and a text"),
    ("n > 1", {"n": None}, "'>' does not take null and a whole number"),
    ("-n", {"n": "x"}, "'-' does not take a text"),
    ("size(n)", {"n": 3}, "'size' does not take a whole number"),
    ("n.matches('x')", {"n": 3}, "'matches' does not take a whole number and a text"),
    ("n && true", {"n": "x"}, "'&&' and 'and' take what is true or false. Compare it"),
    ("!n", {"n": "x"}, "'!' takes what is true or false"),
    ("n ? 1 : 2", {"n": "x"}, "what stands before '?' is not true or false"),
    ("1 in n", {"n": 3}, "'in' takes a list or a mapping on its right"),
    ("n.a.b", {"n": {"a": None}}, "a field is read of what is no mapping. It is null"),
    ("9223372036854775807 + n", {"n": 1}, "overflow"),
    ("n + 1", {"n": 2**70}, "out of range"),
    ("1.0 / 0.0", {}, "not JSON data"),
    ("timestamp(0)", {}, "not JSON data"),
    ("duration('5m')", {}, "not JSON data"),
    ("b'abc'", {}, "not JSON data"),
    ("type(1)", {}, "not JSON data"),
    ("{1: 2}", {}, "not JSON data"),
    ("x", {"x": float("nan")}, "not JSON data"),
    ("x", {"x": object()}, "Non-CEL value"),
    ("x", {"x": "\ud800"}, "failed"),
    ('{"a": 1, "a": 2}', {}, "duplicate key"),
    ("items.exists(i, i.bad > 1)", {"items": [{}]}, "there is no 'bad'"),
    ("big.map(a, big.map(b, b))", {"big": list(range(400))}, "budget"),
]


@pytest.mark.parametrize(("source", "data", "reason"), NO_VALUE)
def test_what_has_no_value_is_an_error(source, data, reason) -> None:
    """An expression that errs raises, as a value and as a condition: it is never true and never false."""
    expression = parse_expression(source)
    with pytest.raises(ExpressionError, match=re.escape(reason)):
        expression.evaluate(data)
    with pytest.raises(ExpressionError, match=re.escape(reason)):
        expression.holds(data)


@pytest.mark.parametrize("value", [0, 1, "true", "", [], {}, None, 1.0])
def test_only_true_and_false_are_conditions(value) -> None:
    """A condition that gives anything else is an error, however true it may look."""
    with pytest.raises(ExpressionError, match="true or false"):
        parse_expression("x").holds({"x": value})


def test_a_value_nested_without_end_is_an_error() -> None:
    """Depth is bounded, so that no value can exhaust the stack."""
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(ExpressionError, match="nested more than"):
        parse_expression("x").evaluate({"x": deep})


ESCAPES = [
    '__import__("os")',
    '__import__("os").system("id")',
    "().__class__.__bases__[0].__subclasses__()",
    "eval('1')",
    'open("/etc/passwd")',
    "lambda: 1",
    "x = 1",
    "x; y",
    "x if y else z",
    "[i for i in x]",
    'f"{x}"',
    "getattr(x, 'y')",
    "exec('1')",
    "globals()",
    "$(id)",
    "`id`",
    "{{ x }}",
    "${x}",
    "import os",
    "x.__class__()",
    "a b",
    "",
    "   ",
    "x >",
    "(x",
    "x\x00y",
    "\ud800",
    "'unclosed",
    "[" * 500 + "]" * 500,
    "x" + ".a" * 500,
    "1" + " + 1" * 500,
    "((((" * 400 + "1" + "))))" * 400,
    "x.map(i, " * 40 + "i" + ")" * 40,
    "x." * 2000,
    '"' * 4001,
    "x ? " * 400 + "1",
]


@pytest.mark.parametrize("source", ESCAPES)
def test_what_is_not_cel_does_not_compile(source) -> None:
    """Everything else, Python first of all, is refused before anything runs."""
    with pytest.raises(ExpressionError):
        Expression(source)


@pytest.mark.parametrize("source", ["(" * 10_000 + "1" + ")" * 10_000, "-" * 20_000 + "1", "a" * 5000])
def test_ten_thousand_parentheses_are_refused(source) -> None:
    """A source longer than the limit is not even looked at."""
    with pytest.raises(ExpressionError, match="At most 4096"):
        Expression(source)


def test_a_parse_error_says_where_and_what_to_do() -> None:
    """The message names the character; the fix fits the mistake."""
    with pytest.raises(ExpressionError, match="at character 3") as caught:
        Expression("a = 1")
    assert caught.value.fix == "Compare with ==."


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("a.b.c + a.d", {"a": {"b": {"c": {}}, "d": {}}}),
        ("a.b.c + a.b", {"a": {"b": {}}}),
        ("a.b + a.b.c", {"a": {"b": {}}}),
        ('steps["x-y"].z', {"steps": {"x-y": {"z": {}}}}),
        ("steps[name].z", {"steps": {}, "name": {}}),
        ("a.b.size() + size(a.c)", {"a": {"b": {}, "c": {}}}),
        ("a.exists(b, b.c == d.e)", {"a": {}, "d": {"e": {}}}),
        ("has(a.b.c)", {"a": {"b": {"c": {}}}}),
        ("a . b", {"a": {"b": {}}}),
        ("'a.b' == \"c\" // d.e", {}),
        ("r'\\n' + b'x' + '''y'z'''", {}),
        ("a[0].b", {"a": {}}),
        ("{a: 1}", {"a": {}}),
        ("true && null == x", {"x": {}}),
    ],
)
def test_what_an_expression_reads_is_known(source, reads) -> None:
    """Names and fields are found by reading the source, and nothing else is handed over."""
    assert paths_read(tokenize(source)) == reads


def test_only_what_is_read_is_handed_over() -> None:
    """What the expression does not read may be anything, and costs nothing."""
    data = {"steps": {"a": {"n": 1, "huge": object()}, "b": object()}, "other": object()}
    assert parse_expression("steps.a.n + 1").evaluate(data) == 2


ORDERED = [
    ("x.map(k, k)", sorted(MAP_OF_MANY)),
    ("x.filter(k, x[k] > 35)", ["k36", "k37", "k38", "k39"]),
    ("[x][0].map(k, k)[0]", "k00"),
    ("(x).map(k, k)[0]", "k00"),
    ("x.map(k, k).map(k, k + 'a')[1]", "k01a"),
    ('{"b": 1, "a": 2}.map(k, k)', ["a", "b"]),
    ("['q'].map(i, x.map(k, k + i)[0])", ["k00q"]),
    ("size(x.filter(k, k != 'a')) in [40].map(i, i)", True),
]


@pytest.mark.parametrize(("source", "expected"), ORDERED)
def test_maps_are_walked_over_in_the_order_of_their_keys(source, expected) -> None:
    """The library's order differs between processes; ours does not."""
    assert parse_expression(source).evaluate({"x": MAP_OF_MANY}) == expected


RENDERED = """
import json
from dirigent.interpreter.template import compile_template
render = compile_template({"v": "${x}", "t": "is ${x}", "l": "${x.map(k, x[k])}"})
print(json.dumps(render({"x": {f"k{n}": {"b": n, "a": n} for n in range(20)}})))
"""


def test_every_process_gives_the_same_order() -> None:
    """Values and texts made from maps are the same bytes in every process."""
    command = [sys.executable, "-c", RENDERED]
    runs = {subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(3)}
    assert len(runs) == 1


def test_a_hole_keeps_its_type_and_text_around_it_makes_text() -> None:
    """`${ x }` alone is the value itself; inside text it is written into it."""
    render = compile_template({"a": "${ n }", "b": "n is ${n}, not ${n + 1}", "c": ["${n}", 5, "plain"]})
    assert render({"n": 1}) == {"a": 1, "b": "n is 1, not 2", "c": [1, 5, "plain"]}


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("${ x", True),
        ("${x} ${", True),
        ("${x}", False),
        ("$ {x}", False),
        ('${ {"a": x} }', False),
        ("}", False),
    ],
)
def test_an_open_hole_is_noticed(text, is_open) -> None:
    """A `${` without its `}` is not taken for text without a word."""
    assert has_open_hole(text) is is_open


def test_nulls_without_number_do_not_end_the_process() -> None:
    """The library loses a reference to None with each null it gives: there are always enough left."""
    many = (
        "from dirigent.interpreter.expression import parse_expression\n"
        "nulls = {'input': {'all': [None] * 50_000}}\n"
        "for _ in range(20): assert len(parse_expression('input.all').evaluate(nulls)) == 50_000\n"
    )
    done = subprocess.run([sys.executable, "-c", many], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
