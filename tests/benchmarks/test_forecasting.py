"""The measure of forecasts reads the published files and judges what lies in them."""

import gzip
from pathlib import Path

import pytest

from benchmarks.forecasting import competition, smape, spare_parts


def test_the_error_is_the_competition_s() -> None:
    """Two hundred times the difference over the sum, on average; nothing for nothing."""
    assert smape([100.0, 0.0], [50.0, 0.0]) == pytest.approx(200 * 50 / 150 / 2)


def test_series_are_read_and_judged(tmp_path: Path) -> None:
    """A straight line is foreseen almost without error."""
    values = [f"N1,{t},{'train' if t < 30 else 'test'},{100 + t}" for t in range(36)]
    (tmp_path / "m3_series.csv").write_text("series,group,period,n,horizon\nN1,yearly,1,30,6\n")
    with gzip.open(tmp_path / "m3_values.csv.gz", "wt") as file:
        file.write("\n".join(["series,t,part,value", *values]))
    yearly, everything, _ = competition(tmp_path)
    assert yearly.split()[:3] == ["yearly", "1", "series"]
    assert float(everything.split("sMAPE")[1].split()[0]) < 1.0


def test_incomplete_parts_are_left_out(tmp_path: Path) -> None:
    """And those that were never asked for while they were watched."""
    months = [f"m{number}" for number in range(36)]
    rows = {"a": ["1", "0", "2"] * 12, "b": ["1"] * 35 + [""], "c": ["0"] * 36}
    lines = [",".join(["part", *months]), *(",".join([part, *cells]) for part, cells in rows.items())]
    with gzip.open(tmp_path / "carparts.csv.gz", "wt") as file:
        file.write("\n".join(lines))
    assert next(spare_parts(tmp_path)).startswith("1 parts")
