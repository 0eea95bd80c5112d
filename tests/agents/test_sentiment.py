"""How texts sound: what every reader hears, and labelled texts not looked at while words were chosen."""

from __future__ import annotations

import time

import pytest

from dirigent.agents.language.lexicon import english
from dirigent.agents.language.sentiment import Tone, tone_of
from dirigent.agents.language.tongue import tongue_of
from tests.agents.labelled import rows


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("not good at all, never again", "negative"),
        ("I don't think it is good", "negative"),
        ("Nothing works and nobody answers", "negative"),
        ("Terrible service", "negative"),
        ("The food was good, but the service was awful", "negative"),
        ("Would not recommend", "negative"),
        ("way too expensive", "negative"),
        ("Nie gut? No idea :(", "negative"),
        ("😡😡", "negative"),
        ("👎", "negative"),
        ("I couldn't be more disappointed", "negative"),
        ("It used to be good", "negative"),
        ("Thanks for nothing", "negative"),
        ("The food was neither good nor cheap", "negative"),
        ("The only good thing is the colour", "negative"),
        ("The parcel came on Tuesday", "neutral"),
        ("When do you open?", "neutral"),
        ("", "neutral"),
        ("https://example.com/good/bad", "neutral"),
        ("Great value, works like a charm", "positive"),
        ("It was late, but the cake is delicious", "positive"),
        ("never had a problem with it", "positive"),
        ("The waiter couldn't have been more helpful", "positive"),
        ("Cannot recommend this enough", "positive"),
        ("Without a doubt the best", "positive"),
        ("There's nothing I don't like about it", "positive"),
        ("You won't regret it", "positive"),
        ("Nothing to complain about", "positive"),
        ("Could have been worse", "positive"),
        ("10/10", "positive"),
        ("Can't go wrong with this one", "positive"),
        ("I couldn’t be happier", "positive"),
        ("Soooo gooood", "positive"),
        ("❤️", "positive"),
    ],
)
def test_what_every_reader_hears(text: str, label: str) -> None:
    """Negation, turns, phrases, faces and stretched words; an address on the web has no tone."""
    assert tone_of(text).label == label


@pytest.mark.parametrize("text", ["not bad", "Not bad at all", "It isn't bad", "no problems so far"])
def test_what_is_not_bad_is_not_negative(text: str) -> None:
    """A bad word that is turned round does not count as bad."""
    assert tone_of(text).label != "negative"


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        ("good", "very good"),
        ("bad", "really bad"),
        ("It is good", "It is good!"),
        ("It is bad", "It is BAD"),
        ("slightly bad", "bad"),
        ("nice", "wonderful"),
        ("Is it good?", "It is good."),
        ("good, but late", "late, but good"),
    ],
)
def test_what_strengthens(weaker: str, stronger: str) -> None:
    """Emphasis, marks, capitals, stronger words, and what is said last."""
    first, second = tone_of(weaker).score, tone_of(stronger).score
    assert (second < first) if first < 0 and second < 0 else (second > first)


def test_capitals_stress_nothing_where_all_is_in_capitals() -> None:
    """Whoever writes all in capitals stresses no word of it."""
    assert tone_of("THE CASE IS GOOD").score == tone_of("the case is good").score


def test_a_negation_ends_with_its_clause() -> None:
    """What comes after a comma is not turned round."""
    assert tone_of("If not, great").good > 0
    assert tone_of("not great").good == 0


def test_sentences_about_phones() -> None:
    """Of 300 sentences three quarters get the very label; a neutral one counts as wrong."""
    labelled = rows("phone_reviews.csv")
    right = sum(tone_of(row["text"]).label == row["label"] for row in labelled)
    assert len(labelled) == 300
    assert right / len(labelled) >= 0.75


def test_reviews_of_food() -> None:
    """Of 200 whole reviews three quarters are told apart: five stars, or fewer."""
    labelled = rows("food_reviews.csv")
    right = sum((tone_of(row["text"]).score > 0) == (row["verdict"] == "great") for row in labelled)
    assert len(labelled) == 200
    assert right / len(labelled) >= 0.75


@pytest.mark.parametrize(
    "part", ["good ", "not ", "not good ", "not. ", "😡", "too ", "<", "@", "no_", "a'", "very "]
)
def test_time_grows_with_the_length_alone(part: str) -> None:
    """Eight times the text, whatever it repeats, takes nothing like sixty-four times as long."""

    def seconds(length: int) -> float:
        text = (part * length)[:length]
        begin = time.perf_counter()
        assert isinstance(tone_of(text), Tone)
        return time.perf_counter() - begin

    tone_of(part)
    short = min(seconds(20_000) for _ in range(3))
    assert seconds(160_000) < max(30 * short, 0.5)


def test_the_lexicon_says_each_word_once() -> None:
    """A word of two worths would hide a mistake; worths run from -3 to 3."""
    lexicon = english()
    for first, phrases in lexicon.phrases.items():
        assert len({phrase for phrase, _ in phrases}) == len(phrases), first
    assert lexicon.words.of("wonderful") == 3
    assert lexicon.words.of("horribly") == -3
    assert lexicon.words.of("table") is None


@pytest.mark.parametrize(
    ("text", "code", "foreign"),
    [
        ("The parcel came on Tuesday and it was fine", "en", False),
        ("Das Essen war leider kalt und der Kellner sehr unfreundlich", "de", True),
        ("Le service était très lent et la nourriture froide", "fr", True),
        ("La comida estaba fría y el servicio muy lento", "es", True),
        ("Il servizio è stato pessimo e la pasta era fredda", "it", True),
        ("Het eten was koud en de bediening niet vriendelijk", "nl", True),
        ("A comida estava fria e o serviço muito ruim", "pt", True),
        ("Maten var kall och det var inte bra", "sv", True),
        ("Obsługa była bardzo niemiła i jedzenie zimne", "pl", True),
        ("Yemek çok kötü ve soğuk", "tr", True),
        ("Еда была холодная", "ru", True),
        ("食べ物はとても美味しかった", "ja", True),
        ("送货太慢了", "zh", True),
        ("배송이 너무 늦었어요", "ko", True),
        ("الطعام بارد", "ar", True),
        ("OK", None, False),
        ("👍👍", None, False),
        ("", None, False),
    ],
)
def test_languages_are_known_by_letters_and_small_words(text: str, code: str | None, foreign: bool) -> None:
    """A text that could be anything is not called foreign."""
    tongue = tongue_of(text)
    assert (tongue.code, tongue.foreign) == (code, foreign)
    assert tongue.name


def test_english_texts_are_not_taken_for_foreign() -> None:
    """At most one in two hundred of five hundred real texts."""
    texts = [row["text"] for name in ("phone_reviews.csv", "food_reviews.csv") for row in rows(name)]
    assert sum(tongue_of(text).foreign for text in texts) <= len(texts) / 200
