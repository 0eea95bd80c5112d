"""What texts are about: by their words, by what looks like them, for taxonomies that anybody makes up."""

from __future__ import annotations

import time

import pytest

from dirigent.agents.language.categories import OTHER, Categoriser, checked_taxonomy
from dirigent.agents.language.stems import likeness, stem_of
from dirigent.domain.errors import InvalidInput
from tests.agents.labelled import rows


@pytest.mark.parametrize(
    "forms",
    [
        ("delivery", "deliveries", "delivered", "delivering", "deliver"),
        ("taste", "tastes", "tasted", "tasting", "tasty"),
        ("price", "prices", "priced", "pricing", "pricey"),
        ("stop", "stops", "stopped", "stopping"),
        ("box", "boxes"),
    ],
)
def test_forms_of_a_word_have_one_stem(forms: tuple[str, ...]) -> None:
    """Plurals, tenses and adjectives come together."""
    assert len({stem_of(form) for form in forms}) == 1


def test_different_words_keep_apart() -> None:
    """Short words and those that only end alike are not cut down to nothing."""
    assert {stem_of(word) for word in ("bed", "ring", "gas", "bus", "friendly", "friend")} == {
        "bed", "ring", "gas", "bus", "friendly", "friend",
    }  # fmt: skip


def test_likeness_counts_common_pieces() -> None:
    """The same word is wholly alike, no common piece not at all; here three of six and of five are common."""
    assert likeness("price", "price") == 1.0
    assert likeness("price", "menu") == 0.0
    assert likeness("prince", "price") == pytest.approx(2 * 3 / (6 + 5))


def test_thirty_sentences_about_food() -> None:
    """Of thirty sentences about delivery, price and taste at least 24 are sorted right."""
    categoriser = Categoriser(("delivery", "taste", "price"))
    labelled = rows("food_sentences.csv")
    right = sum(categoriser.find(row["text"]).category == row["subject"] for row in labelled)
    assert len(labelled) == 30
    assert right >= 24


def test_questions_to_a_bank() -> None:
    """The names of nine intents are enough to sort three quarters of 270 questions."""
    labelled = rows("bank_questions.csv")
    categoriser = Categoriser(sorted({row["intent"] for row in labelled}))
    right = sum(categoriser.find(row["text"]).category == row["intent"] for row in labelled)
    assert len(labelled) == 270
    assert right / len(labelled) >= 0.75


def test_what_is_surer_is_more_often_right() -> None:
    """Of the answers with more than 0.6 a larger share is right than of the others."""
    labelled = rows("bank_questions.csv")
    categoriser = Categoriser(sorted({row["intent"] for row in labelled}))
    found = [(categoriser.find(row["text"]), row["intent"]) for row in labelled]
    surer = [finding.category == intent for finding, intent in found if finding.confidence > 0.6]
    others = [finding.category == intent for finding, intent in found if finding.confidence <= 0.6]
    assert len(surer) >= 50
    assert sum(surer) / len(surer) > sum(others) / len(others) + 0.1


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("My pony is great", "ponies"),
        ("The firmware upgrade bricked it", "firmware upgrades"),
        ("upgrading was hard", "firmware upgrades"),
        ("is it glutenfree?", "gluten"),
        ("Die Rückgaben sind schwer", "Rückgabe"),
        ("rückgabe dauert", "Rückgabe"),
        ("the delivry man", "late_delivery"),
        ("lateDelivery", "late_delivery"),
        ("I have nothing to say", OTHER),
        ("", OTHER),
        ("👍", OTHER),
    ],
)
def test_a_taxonomy_that_somebody_made_up(text: str, category: str) -> None:
    """Word forms, slips and compounds find their category; what says nothing is something else."""
    taxonomy = ("ponies", "firmware upgrades", "gluten", "Rückgabe", "late_delivery")
    assert Categoriser(taxonomy).find(text).category == category


@pytest.mark.parametrize(
    "names", [("taste", "staff", "cost"), ("flavour", "service", "value"), ("food", "waiters", "prices")]
)
def test_a_category_may_have_many_names(names: tuple[str, ...]) -> None:
    """Whatever the house calls food, service and price, the related words come along."""
    categoriser = Categoriser(names)
    texts = ("Bland and soggy noodles", "The waitress was rude", "Overpriced, a rip-off")
    assert tuple(categoriser.find(text).category for text in texts) == names


def test_nothing_known_is_little_certain() -> None:
    """Something else has the confidence 0.2, and one word for a category less than three."""
    categoriser = Categoriser(("delivery", "price"))
    assert categoriser.find("hello").confidence == 0.2
    once, often = categoriser.find("shipping"), categoriser.find("shipping, courier and parcel")
    assert 0.2 < once.confidence < often.confidence < 1


def test_all_that_a_text_is_about() -> None:
    """Several subjects in one text, what weighs most first."""
    found = Categoriser(("delivery", "taste", "price")).find("Tasty, delicious, but too expensive. Great!")
    assert found.topics == ["taste", "price"]


def test_a_word_that_two_categories_share_decides_nothing() -> None:
    """What is left of the name does."""
    categoriser = Categoriser(("lost card", "stolen card"))
    assert categoriser.find("my card was stolen").category == "stolen card"
    assert categoriser.find("I lost my card").category == "lost card"


@pytest.mark.parametrize("taxonomy", [[], ["price", "Price "], ["price", ""], ["price", "!!"]])
def test_a_taxonomy_that_is_none(taxonomy: list[str]) -> None:
    """The mistake is named with the field."""
    with pytest.raises(InvalidInput) as refused:
        checked_taxonomy(taxonomy)
    assert refused.value.field == "taxonomy"


@pytest.mark.parametrize("part", ["delivery ", "x", "abcdefgh", "deliverydelivery", "a b ", "é"])
def test_time_grows_with_the_length_alone(part: str) -> None:
    """Eight times the text, whatever it repeats, takes nothing like sixty-four times as long."""
    categoriser = Categoriser(("delivery", "taste", "price"))

    def seconds(length: int) -> float:
        text = (part * length)[:length]
        begin = time.perf_counter()
        categoriser.find(text)
        return time.perf_counter() - begin

    short = min(seconds(20_000) for _ in range(3))
    assert seconds(160_000) < max(30 * short, 0.5)
