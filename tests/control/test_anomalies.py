"""The critic's anomalies, trends and baselines: exact limits, control charts, and what is left out."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirigent.control.critic import CriticAgent
from dirigent.domain.errors import InvalidInput
from tests.control.world import NOON, call


def series(metric: str, values: list[float]) -> list[dict[str, Any]]:
    return [
        {"metric": metric, "at": (NOON + timedelta(days=day)).isoformat(), "value": value}
        for day, value in enumerate(values)
    ]


async def anomalies(points: list[dict[str, Any]], **inputs: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await call(CriticAgent, "detect_anomalies", series=points, **inputs)
    return found


def noise(count: int, mean: float = 0.0, seed: int = 7) -> list[float]:
    generator = random.Random(seed)
    return [generator.gauss(mean, 1.0) for _ in range(count)]


@pytest.mark.parametrize(
    ("metric", "baseline", "value", "alarms"),
    [
        ("success_rate", 0.90, 0.74, True),
        ("success_rate", 0.90, 0.76, False),
        ("success_rate", 0.90, 0.75, False),
        ("quality", 0.80, 0.59, True),
        ("quality", 0.80, 0.60, False),
        ("quality", 0.80, 1.00, False),
        ("response_time_ms", 100, 151, True),
        ("response_time_ms", 100, 150, False),
        ("response_time_ms", 100, 149, False),
        ("response_time_ms", 0, 149, False),
        ("success_rate:writer.write_message", 0.90, 0.74, True),
        ("reply_rate", 0.90, 0.10, False),
    ],
)
async def test_thresholds_are_strict(metric, baseline, value, alarms):
    """Drops are absolute, the rise is a factor, and what lies exactly on the limit is no anomaly."""
    found = await anomalies(series(metric, [value]), baseline={metric: baseline})
    assert bool(found) is alarms


@given(st.integers(21, 100))
async def test_no_limit_is_lost_in_binary_fractions(hundredths):
    """A drop of exactly 0.20 never alarms and one of 0.21 always does, at every baseline of two decimals."""
    for drop, alarms in ((20, False), (21, True)):
        value = (hundredths - drop) / 100
        found = await anomalies(series("quality", [value]), baseline={"quality": hundredths / 100})
        assert bool(found) is alarms


async def test_anomaly_says_what_was_expected_and_by_which_rule():
    """An anomaly names its rule, the value expected, and how grave it is."""
    found = await anomalies(series("quality", [0.59, 0.40]), baseline={"quality": 0.80})
    assert [(item["rule"], item["expected"], item["severity"]) for item in found] == [
        ("threshold.qualityDrop", 0.80, "warning"),
        ("threshold.qualityDrop", 0.80, "critical"),
    ]
    assert found[0]["confidence"] == 0.0
    assert "0.2 is allowed" in found[0]["detail"]


async def test_thresholds_can_be_set():
    """A stricter threshold from the configuration alarms earlier."""
    found = await anomalies(
        series("quality", [0.74]), baseline={"quality": 0.80}, thresholds={"qualityDrop": 0.05}
    )
    assert found[0]["rule"] == "threshold.qualityDrop"


async def test_chart_finds_a_shift_against_a_known_baseline():
    """A shift of two sigma at point 100 is found within ten points, with its beginning and confidence."""
    points = series("reply_rate", noise(100) + [2.0, 1.8, 2.2] * 6)
    baseline = {"reply_rate": {"mean": 0.0, "deviation": 1.0, "samples": 500}}
    first = next(item for item in await anomalies(points, baseline=baseline) if item["value"] > 0)
    assert first["rule"] == "chart.cusum"
    assert points[100]["at"] <= first["since"].replace("Z", "+00:00") <= first["at"].replace("Z", "+00:00")
    assert first["at"] < points[110]["at"].replace("+00:00", "Z")
    assert first["confidence"] > 0.99
    assert first["samples"] == 500


async def test_first_hundred_points_serve_as_baseline():
    """Without a baseline a shift after point 100 is found, and a shorter series is not judged."""
    points = series("reply_rate", noise(100) + noise(20, mean=4.0, seed=8))
    assert await anomalies(points[:100]) == []
    found = await anomalies(points)
    assert found
    assert found[0]["samples"] == 100


async def test_constant_metric_has_thresholds_only():
    """A baseline without spread cannot drive a chart."""
    baseline = {"reply_rate": {"mean": 0.5, "deviation": 0.0, "samples": 100}}
    assert await anomalies(series("reply_rate", [0.5, 0.9]), baseline=baseline) == []


async def test_order_of_points_does_not_matter():
    """Points are judged by time, however they come."""
    points = series("quality", [0.8, 0.5, 0.8]) + series("success_rate", [0.9, 0.1])
    baseline = {"quality": 0.8, "success_rate": 0.9}
    assert await anomalies(points[::-1], baseline=baseline) == await anomalies(points, baseline=baseline)


async def test_point_without_offset_is_refused():
    """A time that does not say its offset from UTC is an error that names the field."""
    with pytest.raises(InvalidInput, match=r"series\.0\.at"):
        await anomalies([{"metric": "quality", "at": "2026-11-20T12:00:00", "value": 0.5}])


async def test_falling_reply_rate_is_a_trend_and_noise_is_not():
    """A slow fall has p below 0.05 and a slope per day; noise has neither."""
    falling = [0.20 - 0.001 * day + 0.01 * jitter for day, jitter in enumerate(noise(60))]
    points = series("reply_rate", falling) + series("open_rate", noise(60, seed=9))
    steady, reply = await call(CriticAgent, "detect_trends", series=points)
    assert (reply["metric"], reply["direction"]) == ("reply_rate", "falling")
    assert reply["p_value"] < 0.05
    assert reply["slope"] == pytest.approx(-0.001, abs=0.0003)
    assert (steady["metric"], steady["direction"]) == ("open_rate", "none")


async def test_baseline_moves_with_normal_samples_and_not_with_anomalous_ones():
    """After 200 new normal samples the baseline has moved; twenty wild ones among them are left out."""
    old, new, wild = noise(200, mean=10.0), noise(200, mean=12.0, seed=8), noise(20, mean=90.0, seed=9)
    before = await call(CriticAgent, "adjust_baselines", series=series("latency", old))
    after = await call(CriticAgent, "adjust_baselines", series=series("latency", old + new))
    dirty = await call(CriticAgent, "adjust_baselines", series=series("latency", old + new[:180] + wild))
    assert before["latency"]["mean"] == pytest.approx(10.0, abs=0.2)
    assert after["latency"]["mean"] == pytest.approx(12.0, abs=0.2)
    assert dirty["latency"]["mean"] == pytest.approx(12.0, abs=0.2)
    assert dirty["latency"]["samples"] <= 180
