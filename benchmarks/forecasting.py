"""How good forecasts are on published series: `python -m benchmarks.forecasting FOLDER`.

The folder holds `m3_series.csv` and `m3_values.csv.gz` (the M3 competition) or `carparts.csv.gz` (spare parts
that are asked for now and then); README.md says where they come from.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist, fmean

from dirigent.agents.forecasting import outlook_of

COVERAGE = 0.8
MONTHS = 12
SERVICE = 0.95


def main() -> None:
    """Measure whatever the folder holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecasting", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    if (folder / "m3_series.csv").exists():
        print(*competition(folder), sep="\n")
    if (folder / "carparts.csv.gz").exists():
        print(*spare_parts(folder), sep="\n")


def competition(folder: Path) -> Iterator[str]:
    """Error by group of the M3 competition, and how many values lay in the band."""
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in _rows(folder / "m3_values.csv.gz"):
        values[row["series"], row["part"]].append(float(row["value"]))
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    began = time.perf_counter()
    for row in _rows(folder / "m3_series.csv"):
        known, came = values[row["series"], "train"], values[row["series"], "test"]
        outlook = outlook_of(known, horizon=len(came), period=int(row["period"]))
        judged = smape(came, outlook.expected(len(came))), _covered(came, outlook.band(len(came), COVERAGE))
        found[row["group"]].append(judged)
        found["all"].append(judged)
    for group, judged_all in found.items():
        error, inside = (fmean(column) for column in zip(*judged_all, strict=True))
        yield f"{group:10} {len(judged_all):5} series   sMAPE {error:6.2f}   in the 80 % band {inside:.1%}"
    yield f"{time.perf_counter() - began:.1f} s"


def spare_parts(folder: Path) -> Iterator[str]:
    """Error over the last year of every complete part, against its months and against its total."""
    scaled, missed, total, served, inside = [], 0.0, 0.0, [], []
    for row in _rows(folder / "carparts.csv.gz"):
        months = [float(cell) for name, cell in row.items() if name != "part" and cell]
        known, came = months[:-MONTHS], months[-MONTHS:]
        if len(months) < len(row) - 1 or not any(known):
            continue
        outlook = outlook_of(known, horizon=MONTHS, period=MONTHS, floor=0.0)
        ahead, (mean, spread) = outlook.expected(MONTHS), outlook.total(MONTHS)
        steps = fmean((later - earlier) ** 2 for earlier, later in pairwise(known))
        squared = fmean((a - b) ** 2 for a, b in zip(came, ahead, strict=True))
        scaled.append(math.sqrt(squared / steps) if steps else math.sqrt(squared))
        missed, total = missed + abs(sum(came) - mean), total + sum(came)
        served.append(sum(came) <= mean + NormalDist().inv_cdf(SERVICE) * spread)
        inside.append(_covered(came, outlook.band(MONTHS, COVERAGE)))
    yield f"{len(scaled)} parts   RMSSE {fmean(scaled):.4f}   error of the year's total {missed / total:.1%}"
    yield f"in the 80 % band {fmean(inside):.1%}   a year's stock at 95 % sufficed for {fmean(served):.1%}"


def smape(values: Sequence[float], guesses: Sequence[float]) -> float:
    """The symmetric absolute error, in percent."""
    pairs = zip(values, guesses, strict=True)
    return fmean(200 * abs(a - b) / (abs(a) + abs(b)) if a or b else 0.0 for a, b in pairs)


def _covered(values: Sequence[float], band: Sequence[tuple[float, float]]) -> float:
    return fmean(low <= value <= high for value, (low, high) in zip(values, band, strict=True))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        yield from csv.DictReader(file)


if __name__ == "__main__":
    main()
