"""Text without disguise: what hides words is taken off, and honest text in any language stays."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirigent.security.text import oddities, origins, shown, skeleton, undisguised

KILOBYTES_100 = 100_000


@pytest.mark.parametrize(
    ("disguised", "plain"),
    [
        ("fr€e", "free"),
        ("f\u200bree", "free"),
        ("f\u00adree", "free"),
        ("ＦＲＥＥ", "free"),
        ("𝐟𝐫𝐞𝐞", "free"),
        ("Ⓕⓡⓔⓔ", "free"),
        ("frее", "free"),
        ("ϲlick", "click"),
        ("РаyРаl", "paypal"),
        ("f\u0301r\u0301e\u0301e\u0301", "free"),
        ("fr\U000e0065\U000e0065ee", "free"),
        ("\u202efree", "free"),
        ("ｃａｓｈ", "cash"),
        ("ca$h", "cash"),
    ],
)
def test_a_disguised_word_is_read_as_the_word(disguised: str, plain: str) -> None:
    """Look-alikes, invisible characters, marks and signs in place of letters change nothing."""
    assert skeleton(disguised) == plain


@pytest.mark.parametrize(
    "honest", ["Grüße aus Köln", "Привет, мир", "Καλημέρα", "naïve café", "日本語", "$500"]
)
def test_honest_text_stays_readable(honest: str) -> None:
    """What a rule reads of an honest text is the text."""
    assert undisguised(honest) == honest
    assert oddities(honest) == ()


def test_a_mixed_word_becomes_latin_and_a_foreign_one_stays() -> None:
    """Only words that mix scripts are rewritten, so that rules may name words of every language."""
    assert undisguised("РаyРаl и Москва") == "PayPal и Москва"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a\u200bb", "zero_width"),
        ("a\u202eb", "bidi_control"),
        ("hello\U000e0041", "tag_characters"),
        ("pаypal", "mixed_script"),
        ("a\u3164b", "blank_letter"),
    ],
)
def test_disguise_is_named(text: str, kind: str) -> None:
    """Each kind of disguise is reported under its name."""
    assert kind in oddities(text)


@pytest.mark.parametrize(
    "text", ["👩\u200d💻", "🏴\U000e0067\U000e0062\U000e007f", "پیش\u200cنهاد", "a\u00adb"]
)
def test_invisible_characters_with_a_purpose_are_no_disguise(text: str) -> None:
    """Joiners in emoji and Persian, flags and soft hyphens are ordinary text."""
    assert oddities(text) == ()


@given(st.text())
def test_every_view_is_idempotent(text: str) -> None:
    """Taking the disguise off twice takes off no more than once."""
    for view in (shown, undisguised, skeleton):
        once = view(text)
        assert view(once) == once


@given(st.text())
def test_every_character_shown_has_an_origin(text: str) -> None:
    """Origins never run backwards and cover the shown text, so that a finding can be cut out."""
    places = origins(text)
    assert len(places) == len(shown(text)) + 1
    assert places == sorted(places)
    assert places[-1] == len(text)


@pytest.mark.parametrize("piece", ["hello world ", "a\u200b", "\u200b", "привет мир ", "é", "€", "a€"])
def test_time_is_proportional_to_the_length(piece: str) -> None:
    """Ten times the text takes about ten times as long, whatever it is made of."""
    short, long = (piece * (length // len(piece)) for length in (KILOBYTES_100 // 10, KILOBYTES_100))
    for view in (shown, undisguised, skeleton, oddities):
        assert _cost(view, long) < 40 * _cost(view, short) + 0.005


def _cost(view: object, text: str) -> float:
    assert callable(view)
    costs = []
    for _ in range(3):
        before = time.process_time()
        view(text)
        costs.append(time.process_time() - before)
    return min(costs)
