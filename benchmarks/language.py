"""How well texts are understood without a model: `python -m benchmarks.language FOLDER`.

The folder holds, at any depth, some of the published sets that README.md names. Measured are the three fifths
of the rows that were not looked at while words and constants were chosen; with `--seen` the other two.
"""

from __future__ import annotations

import argparse
import bisect
import csv
import gzip
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from dirigent.agents.language.categories import OTHER, Categoriser
from dirigent.agents.language.sentiment import Tone, tone_of

SEEN_PERCENT = 40
LABELS = ("negative", "neutral", "positive")
ASPECTS = ("food", "service", "price", "ambience")
MISCELLANY = "anecdotes/miscellaneous"

Select = Callable[[str], bool]


def main() -> None:
    """Measure whatever the folder holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.language", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seen", action="store_true", help="the rows that were looked at")
    given = parser.parse_args()
    for name, measure in MEASURES.items():
        for file in sorted(given.folder.rglob(name)):
            for line in measure(file, lambda key: _is_seen(key) is given.seen):
                print(line)


def phones(file: Path, select: Select) -> Iterator[str]:
    """Sentences about phones: good or bad; neutral counts as wrong."""
    rows = [(row["sentence"], row["label"] == "1") for row in _rows(file) if select(row["sentence"])]
    tones = [(tone_of(text), good) for text, good in rows]
    right = fmean(tone.label == ("positive" if good else "negative") for tone, good in tones)
    apart = fmean((tone.score > 0) == good for tone, good in tones)
    measured = f"accuracy {right:.3f}   good or not {apart:.3f}   AUC {_auc(tones):.3f}"
    yield f"phone sentences      {len(rows):6}   {measured}"


def foods(file: Path, select: Select) -> Iterator[str]:
    """Reviews of food: five stars, or fewer."""
    rows = [(row["review"], row["score"] == "great") for row in _rows(file) if select(row["review"])]
    tones = [(tone_of(text), good) for text, good in rows]
    right = fmean((tone.score > 0) == good for tone, good in tones)
    yield f"food reviews         {len(rows):6}   accuracy {right:.3f}   AUC {_auc(tones):.3f}"


def tweets(file: Path, select: Select) -> Iterator[str]:
    """Tweets to airlines: bad, neutral or good; and the reason of a complaint by the names of the reasons."""
    rows = [row for row in _rows(file) if select(row["tweet_id"])]
    yield _three_ways("airline tweets", [(row["text"], row["airline_sentiment"]) for row in rows])
    reasons = [(row["text"], row["negativereason"]) for row in rows if row["negativereason"]]
    reasons = [(text, reason) for text, reason in reasons if reason != "Can't Tell"]
    yield _by_name("reasons of complaint", reasons)


def restaurants(file: Path, select: Select) -> Iterator[str]:
    """Sentences about restaurants: the mood where there is one, and what they are about."""
    lines = file.read_text(encoding="utf-8").splitlines()
    rows: list[dict[str, Any]] = [row for row in map(json.loads, lines) if select(row["id"])]
    moods = [(row["text"], {one["polarity"] for one in row["aspect_categories"]}) for row in rows]
    clear = [(text, next(iter(mood))) for text, mood in moods if len(mood) == 1 and "conflict" not in mood]
    yield _three_ways("restaurants", clear)
    subjects = [(row["text"], {one["category"] for one in row["aspect_categories"]}) for row in rows]
    single = [(text, next(iter(about))) for text, about in subjects if len(about) == 1]
    yield _by_name("subject, one of four", [(text, about) for text, about in single if about in ASPECTS])
    yield _all_subjects([(text, about - {MISCELLANY}) for text, about in subjects])


def questions(file: Path, select: Select) -> Iterator[str]:
    """Questions to a bank, by the names of all 77 intents."""
    yield _by_name(
        "intents of questions", [(row["text"], row["category"]) for row in _rows(file) if select(row["text"])]
    )


MEASURES = {
    "amazon_cells_labelled.csv": phones,
    "fine_foods_reviews/train.csv.gz": foods,
    "tweets.csv.gz": tweets,
    "restaurant_sentences.jsonl": restaurants,
    "banking77/train.csv": questions,
}


def _three_ways(name: str, rows: Sequence[tuple[str, str]]) -> str:
    told = [(tone_of(text).label, label) for text, label in rows]
    accuracy = fmean(got == label for got, label in told)
    score = fmean(_f1(told, label) for label in LABELS)
    opinions = [(got, label) for got, label in told if label != "neutral"]
    two = fmean(got == label for got, label in opinions)
    measured = f"accuracy {accuracy:.3f}   macro F1 {score:.3f}   without neutral {two:.3f}"
    return f"{name:20} {len(rows):6}   {measured}"


def _by_name(name: str, rows: Sequence[tuple[str, str]]) -> str:
    """How many are sorted right when nothing but the names of the categories is known."""
    categoriser = Categoriser(sorted({label for _, label in rows}))
    right = fmean(categoriser.find(text).category == label for text, label in rows)
    return f"{name:20} {len(rows):6}   {len(categoriser.taxonomy)} categories   accuracy {right:.3f}"


def _all_subjects(rows: Sequence[tuple[str, set[str]]]) -> str:
    categoriser = Categoriser(ASPECTS)
    found = [(set(categoriser.find(text).topics), about) for text, about in rows]
    common = sum(len(got & about) for got, about in found)
    score = 2 * common / sum(len(got) + len(about) for got, about in found)
    nothing = [text for text, about in rows if not about]
    other = fmean(categoriser.find(text).category == OTHER for text in nothing)
    return (
        f"{'all subjects':20} {len(rows):6}   micro F1 {score:.3f}   of what is about none, other {other:.3f}"
    )


def _f1(told: Sequence[tuple[str, str]], label: str) -> float:
    right = sum(got == label == true for got, true in told)
    named = sum((got == label) + (true == label) for got, true in told)
    return 2 * right / named if named else 0.0


def _auc(tones: Sequence[tuple[Tone, bool]]) -> float:
    """How often a good text scores higher than a bad one; a tie counts half."""
    bad = sorted(tone.score for tone, good in tones if not good)
    below = [
        (bisect.bisect_left(bad, tone.score) + bisect.bisect_right(bad, tone.score)) / 2
        for tone, good in tones
        if good
    ]
    return fmean(below) / len(bad)


def _is_seen(key: str) -> bool:
    return int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) % 100 < SEEN_PERCENT


def _rows(path: Path) -> Iterator[dict[str, str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


if __name__ == "__main__":
    main()
