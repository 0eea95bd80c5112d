"""The campaign of planted faults: what it plants is there, and what nothing finds is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from campaigns.mutants import hunting
from campaigns.mutants.hunting import Found, campaign, verdict
from campaigns.mutants.planted import Mutant, Unplanted, plant, planted
from campaigns.verdict import GREEN, RED
from tests.docs.test_documents import ROOT

SOURCE = ROOT / "src"


def test_the_faults_can_be_planted() -> None:
    """Where code has moved on a few may lag behind, and the campaign names these; more is an error here."""
    mutants = planted()
    assert len(mutants) >= 30
    assert len({mutant.name for mutant in mutants}) == len(mutants)
    texts = [(SOURCE / "dirigent" / mutant.file).read_text(encoding="utf-8") for mutant in mutants]
    stale = [m.name for m, text in zip(mutants, texts, strict=True) if text.count(m.old) != 1]
    assert len(stale) <= len(mutants) // 10, stale
    missing = [test for m in mutants for test in m.tests if not (ROOT / test.partition("::")[0]).is_file()]
    assert not missing


def test_a_planted_fault_is_found_by_a_seed(capsys: pytest.CaptureFixture[str]) -> None:
    """In a copy: the checkout stays as it is."""
    before = (SOURCE / "dirigent" / "interpreter" / "steps.py").read_bytes()
    [told] = campaign(seeds=3, only="attempts follow without a wait", jobs=1)
    assert told.status == GREEN
    assert "1 mutants, 1 found by simulation, 0 found by tests, 0 alive" in told.line()
    assert "S23" in capsys.readouterr().out
    assert (SOURCE / "dirigent" / "interpreter" / "steps.py").read_bytes() == before


def test_a_fault_whose_text_is_gone_is_alive(tmp_path: Path) -> None:
    """It counts as one that nothing found, and says what is wrong with it."""
    (tmp_path / "dirigent").mkdir()
    (tmp_path / "dirigent" / "a.py").write_text("x = 1\nx = 1\n", encoding="utf-8")
    for old, times in (("x = 2", 0), ("x = 1", 2)):
        with pytest.raises(Unplanted, match=f"stands {times} times in a.py"):
            plant(Mutant(name="m", file="a.py", old=old, new="x = 3"), tmp_path)


def test_fewer_than_nine_in_ten_is_red() -> None:
    """And the ones that nothing saw are named."""
    mutant = Mutant(name="unseen", file="a.py", old="", new="")
    tried = [Found(mutant=mutant, by="seed 1")] * 8 + [Found(mutant=mutant, by="tests/x.py::y")]
    assert verdict([*tried, Found(mutant=mutant)], "again").status == GREEN
    bad = verdict([*tried, Found(mutant=mutant), Found(mutant=mutant)], "again")
    assert bad.status == RED
    assert "alive: unseen" in bad.details
    assert hunting.SHARE_MIN == 0.9
