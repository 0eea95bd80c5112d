"""Identifiers are found, proved and redacted; what only looks like one is left alone."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirigent.security.pii import IDENTIFYING, KINDS, find_pii, redact, redact_value

SENTENCES = Path(__file__).parent / "pii_sentences.txt"
MARK = re.compile(r"\{(\w+)\|([^{}]*)\}")
SECONDS_PER_100_KB = 0.5


def labelled() -> list[tuple[str, set[tuple[str, str]]]]:
    lines = SENTENCES.read_text(encoding="utf-8").splitlines()
    marked = [line for line in lines if line and not line.startswith("#")]
    return [
        (MARK.sub(lambda mark: mark[2], line), {(m[1], m[2]) for m in MARK.finditer(line)}) for line in marked
    ]


def found_in(text: str) -> set[tuple[str, str]]:
    return {(finding.kind, text[finding.start : finding.end]) for finding in find_pii(text)}


def test_precision_and_recall_on_the_labelled_sentences() -> None:
    """At least 0.9 of what is found is right, and at least 0.9 of what is there is found."""
    sentences = labelled()
    assert len(sentences) >= 60
    right, found, there = Counter[str](), Counter[str](), Counter[str]()
    for text, wanted in sentences:
        got = found_in(text)
        right.update(kind for kind, _ in got & wanted)
        found.update(kind for kind, _ in got)
        there.update(kind for kind, _ in wanted)
    assert right.total() / found.total() >= 0.9
    assert right.total() / there.total() >= 0.9
    assert set(there) == set(KINDS)
    assert all(right[kind] / there[kind] >= 0.75 for kind in there)


@pytest.mark.parametrize("number", ["4111111111111112", "4111 1111 1111 1112", "1234567812345678"])
def test_sixteen_digits_that_fail_luhn_are_nothing(number: str) -> None:
    """A number with a wrong check digit is no card, and no phone number either."""
    assert find_pii(f"Pay with {number} please.") == ()


@pytest.mark.parametrize(
    "disguised",
    [
        "4111\u200b1111\u200b1111\u200b1111",
        "４１１１１１１１１１１１１１１１",
        "٤١١١١١١١١١١١١١١١",
        "4111\u00a01111\u00a01111\u00a01111",
    ],
)
def test_a_disguised_card_is_found_where_it_stands(disguised: str) -> None:
    """Digits of other scripts and characters that do not show hide nothing; the original is cut out whole."""
    assert redact(f"Card {disguised} ok").text == "Card [card_number] ok"


def test_findings_hold_no_value() -> None:
    """A finding may be logged: it names kind and place only."""
    finding = find_pii("SSN 536-90-4399")[0]
    assert "4399" not in repr(finding)
    assert (finding.kind, finding.start, finding.end) == ("us_ssn", 4, 15)


def test_the_better_proved_kind_wins() -> None:
    """Digits inside an account number or a key are not reported a second time as something else."""
    assert [f.kind for f in find_pii("call DE89 3704 0044 0532 0130 00 or sk-41111111111111114111abcd")] == [
        "iban",
        "secret",
    ]


def test_only_the_wanted_kinds_are_redacted() -> None:
    """What a message is about may stay while identifiers go."""
    text = "ann@example.com pays with 4111111111111111"
    assert redact(text, IDENTIFYING).text == "ann@example.com pays with [card_number]"


def test_values_are_redacted_at_any_depth() -> None:
    """Texts in lists and objects are redacted, names and other values stay."""
    value = {"rows": [{"note": "call +49 30 901820", "n": 4111111111111111, "ok": True, "none": None}]}
    assert redact_value(value) == {
        "rows": [{"note": "call [phone]", "n": 4111111111111111, "ok": True, "none": None}]
    }


@given(st.text(alphabet="0123456789+-. ()@abcDE:/\u200b４é", max_size=60))
def test_redacting_is_idempotent_and_findings_fit(text: str) -> None:
    """Findings lie in order inside the text, and what is redacted stays redacted."""
    findings = find_pii(text)
    ends = [place for finding in findings for place in (finding.start, finding.end)]
    assert ends == sorted(ends)
    assert all(0 <= finding.start < finding.end <= len(text) for finding in findings)
    once = redact(text).text
    assert redact(redact(once).text).text == redact(once).text


PIECES = (
    *(
        "a",
        "1",
        "1 ",
        "@",
        "a@",
        "a@b.",
        "DE00 ",
        ":",
        "1.",
        "1(",
        "phone 1234567\n",
        "eyJ",
        "password=",
        "://a:",
    ),
    *(
        "4111 ",
        "-----BEGIN ",
        "123456789\n",
        "é1 ",
        "+1 ",
        "Dear Ann, 12 pieces came on 2024-11-03, thank you. ",
    ),
)


@pytest.mark.parametrize("piece", PIECES)
def test_time_is_proportional_to_the_length(piece: str) -> None:
    """A hundred kilobytes of anything are searched by all ten detectors in a fraction of a second."""
    text = piece * (100_000 // len(piece))
    before = time.process_time()
    find_pii(text)
    assert time.process_time() - before < SECONDS_PER_100_KB
