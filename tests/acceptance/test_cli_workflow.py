"""`dirigent run` and `validate`: the examples as they are, inputs, and mistakes named with their place."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.terminal import DORMANT, TENANT, dirigent, write_books

EXAMPLES = Path(__file__).parents[2] / "examples" / "workflows"
HELLO = EXAMPLES / "hello.yaml"
WIN_BACK = EXAMPLES / "win_back.yaml"
WRONG = """\
workflow:
  name: wrong
  steps:
    - id: one
      type: agnt
    - id: two
      type: agent
      agent_type: writr
      action: write_message
"""
FAILING = """\
workflow:
  name: failing
  steps:
    - id: never
      type: validation
      conditions: ["1 > 2"]
      parameters: {code: too_small, message: "One is not more than two."}
"""


def test_less_autonomy_than_was_asked_for_is_said(tmp_path: Path) -> None:
    """The run goes on with what the tenant allows; who asked for more learns why it will be asked."""
    dirigent("workflow", "save", HELLO, data=tmp_path)
    for words in (("run", HELLO), ("workflow", "run", "hello")):
        said = dirigent(*words, "--autonomy", "L3", data=tmp_path)
        assert (said.code, "L3 was asked for; the tenant allows no more than L2" in said.err) == (0, True)
        assert "asked for" not in dirigent(*words, "--autonomy", "L1", data=tmp_path).err


def test_the_example_runs(tmp_path: Path) -> None:
    """The first example runs without records, and says its steps and its output."""
    said = dirigent("run", HELLO, data=tmp_path / "data")
    assert said.code == 0, said.err
    assert "score  succeeded" in said.out
    assert "completed" in said.out
    assert '"promising": true' in said.out


def test_inputs(tmp_path: Path) -> None:
    """Inputs are given one by one, from a file each, or all in a file; what comes later wins."""
    file = tmp_path / "input.json"
    file.write_text(json.dumps({"name": "From File", "visits": 0}))
    given = ("-i", f"@{file}", "-i", "name=Ada", "-i", f"whole=@{file}", "-i", 'role="3"')
    found = dirigent("run", HELLO, *given, "-o", "json", data=tmp_path / "data").data
    assert found["input"] == {
        "name": "Ada",
        "visits": 0,
        "whole": {"name": "From File", "visits": 0},
        "role": "3",
    }
    assert found["output"]["name"] == "Ada"


def test_the_example_with_a_person(tmp_path: Path) -> None:
    """The second example searches, fans out, waits for a person, and goes on when one agrees."""
    data = tmp_path / "data"
    dirigent("import", write_books(tmp_path / "books"), "--org", TENANT, data=data)
    waiting = dirigent("run", WIN_BACK, "--org", TENANT, "-i", "limit=5", "-o", "json", data=data)
    assert waiting.code == 0, waiting.err
    assert waiting.data["status"] == "awaiting_approval"
    [approval] = dirigent("approvals", "-o", "json", data=data).data
    assert len(approval["preview"]["customers"]) == 5
    said = dirigent("approve", approval["approval_id"], "--comment", "in May", data=data)
    assert said.code == 0, said.err
    done = dirigent("show", waiting.data["execution_id"], "-o", "json", data=data).data
    assert done["status"] == "completed"
    assert done["output"]["researched"] == 5
    assert done["output"]["remembered_as"]


def test_the_example_without_records(tmp_path: Path) -> None:
    """Without records the second example is blocked, and the command fails."""
    said = dirigent("run", WIN_BACK, data=tmp_path / "data")
    assert said.code == 1
    assert "no_dormant_leads" in said.out


def test_a_limit_of_one(tmp_path: Path) -> None:
    """A whole number from the command line is a number, not a text."""
    data = tmp_path / "data"
    dirigent("import", write_books(tmp_path / "books"), data=data)
    found = dirigent("run", WIN_BACK, "-i", f"limit={DORMANT}", "-o", "json", data=data).data
    assert found["input"] == {"limit": DORMANT}


def test_a_run_that_fails(tmp_path: Path) -> None:
    """A failed run is exit code 1, with the code and the sentence of its failure."""
    file = tmp_path / "failing.yaml"
    file.write_text(FAILING)
    said = dirigent("run", file, data=tmp_path / "data")
    assert said.code == 1
    assert "One is not more than two. (too_small)" in said.out


def test_wrong_definitions_do_not_run(tmp_path: Path) -> None:
    """A definition with mistakes is bad input, and no data folder is made for it."""
    file = tmp_path / "wrong.yaml"
    file.write_text(WRONG)
    said = dirigent("run", file, data=tmp_path / "data")
    assert said.code == 2
    assert f"{file}:5:13 WF010" in said.err
    assert "2 problems" in said.err
    assert not (tmp_path / "data").exists()


def test_validate_names_every_problem(tmp_path: Path) -> None:
    """Each problem has file, line, column, code, what was expected and a fix; good files are named too."""
    file = tmp_path / "wrong.yaml"
    file.write_text(WRONG)
    said = dirigent("validate", file, HELLO, tmp_path / "missing.yaml", data=tmp_path / "data")
    assert said.code == 1
    assert f"{file}:8:19 WF022" in said.err
    assert "fix: did you mean writer?" in said.err
    assert f"{HELLO}: ok." in said.out
    assert "missing.yaml" in said.err


def test_validate_as_json(tmp_path: Path) -> None:
    """As JSON the problems are data."""
    file = tmp_path / "wrong.yaml"
    file.write_text(WRONG)
    said = dirigent("validate", file, HELLO, "-o", "json")
    assert (said.code, said.err) == (1, "")
    wrong, hello = said.data["files"]
    assert [(problem["code"], problem["line"]) for problem in wrong["problems"]] == [
        ("WF010", 5),
        ("WF022", 8),
    ]
    assert hello["valid"]


def test_validate_good_files() -> None:
    """Every example is valid, without a warning."""
    said = dirigent("validate", "--strict", *sorted(EXAMPLES.glob("*.yaml")))
    assert (said.code, said.err) == (0, "")


def test_warnings_are_told_and_let_pass(tmp_path: Path) -> None:
    """A workflow that deserves advice is valid; `--strict` is for those who want none left."""
    file = tmp_path / "waits.yaml"
    file.write_text("name: waits\nsteps:\n  - {id: ask, type: approval}\n")
    said = dirigent("lint", file)
    assert said.code == 0
    assert f"{file}:3:5 WL007 ask does not say how long a person has" in said.err
    assert "fix: add timeout: 24h, or what you mean" in said.err
    assert ", 1 warning" in said.out
    assert dirigent("lint", file, "--strict").code == 1
    found = dirigent("lint", file, "-o", "json").data["files"][0]
    assert found["valid"]
    assert [(warning["code"], warning["line"]) for warning in found["warnings"]] == [("WL007", 3)]


def test_a_workflow_that_is_not_stored_is_named_before_the_first_step(tmp_path: Path) -> None:
    """Once it is stored, nothing is said."""
    inner, outer, data = tmp_path / "inner.yaml", tmp_path / "outer.yaml", tmp_path / "data"
    inner.write_text("name: inner\nsteps: [{id: a, type: transform, parameters: {n: 1}}]\n")
    outer.write_text("name: outer\nsteps: [{id: start, type: subworkflow, workflow: inner}]\n")
    missing = dirigent("run", outer, data=data)
    assert missing.code == 1
    assert "note: start starts the workflow 'inner', and there is none yet" in missing.err
    dirigent("workflow", "save", inner, data=data)
    stored = dirigent("run", outer, data=data)
    assert (stored.code, stored.err) == (0, "")
