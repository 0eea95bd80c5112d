"""The measure of texts reads the published files, leaves out what was looked at, and counts right."""

import csv
import gzip
import json
from pathlib import Path

import pytest

from benchmarks.language import phones, restaurants, tweets


def everything(_: str) -> bool:
    return True


def test_sentences_are_judged(tmp_path: Path) -> None:
    """One of two is heard right, a neutral one counts as wrong, and order is half right."""
    file = tmp_path / "amazon_cells_labelled.csv"
    file.write_text('sentence,label\n"Great, I love it",1\nIt is a phone,1\nTerrible,0\nGreat,0\n')
    (line,) = phones(file, everything)
    assert "accuracy 0.500" in line
    assert "AUC 0.750" in line


def test_what_was_looked_at_is_left_out(tmp_path: Path) -> None:
    """Only the rows that are asked for are counted."""
    file = tmp_path / "amazon_cells_labelled.csv"
    file.write_text("sentence,label\nGreat,1\nTerrible,0\nAwful,1\n")
    (line,) = phones(file, lambda text: text != "Awful")
    assert line.split()[2] == "2"
    assert "accuracy 1.000" in line


def test_three_ways_and_reasons(tmp_path: Path) -> None:
    """The macro F1 of all three right is 1; a reason is found by its name."""
    rows = [
        ("1", "negative", "Lost Luggage", "You lost my luggage, terrible"),
        ("2", "neutral", "", "I fly on Tuesday"),
        ("3", "positive", "", "Thank you, great crew"),
    ]
    with gzip.open(tmp_path / "tweets.csv.gz", "wt", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("tweet_id", "airline_sentiment", "negativereason", "text"))
        writer.writerows(rows)
    mood, reason = tweets(tmp_path / "tweets.csv.gz", everything)
    assert mood.endswith("accuracy 1.000   macro F1 1.000   without neutral 1.000")
    assert reason.endswith("1 categories   accuracy 1.000")


def test_subjects(tmp_path: Path) -> None:
    """Two subjects in one sentence both count; what is about none of the four should be other."""
    said = [
        ("1", "The soup is delicious but overpriced", [("food", "positive"), ("price", "negative")]),
        ("2", "The waiter was rude", [("service", "negative")]),
        ("3", "We come here on Mondays", [("anecdotes/miscellaneous", "neutral")]),
    ]
    file = tmp_path / "restaurant_sentences.jsonl"
    lines = [
        json.dumps(
            {
                "id": key,
                "text": text,
                "aspect_categories": [dict(zip(("category", "polarity"), one, strict=True)) for one in about],
            }
        )
        for key, text, about in said
    ]
    file.write_text("\n".join(lines))
    moods, single, all_subjects = restaurants(file, everything)
    assert moods.split()[1] == "2"
    assert single.endswith("accuracy 1.000")
    score = float(all_subjects.split("micro F1 ")[1].split()[0])
    assert score == pytest.approx(1.0)
    assert all_subjects.endswith("other 1.000")
