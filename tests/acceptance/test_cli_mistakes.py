"""What a user gets wrong: a sentence and a fix on standard error, exit code 2, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog

from dirigent.cli.failures import end_of
from dirigent.cli.log_file import log_to
from tests.acceptance.terminal import dirigent, write_goal

HELLO = str(Path(__file__).parents[2] / "examples" / "workflows" / "hello.yaml")

USAGE = [
    (("lss",), 'Did you mean "ls"?'),
    (("goal", "runn", "x"), 'Did you mean "run"?'),
    (("goal", "run"), "GOAL requires an argument"),
    (("ls", "--bogus"), "Unknown option: --bogus"),
    (("ls", "-o", "xml"), 'Choose from: "table", "json"'),
    (("show",), "EXECUTION_ID requires an argument"),
    (("goal", "run", "x", "--autonomy", "L9"), "Choose from"),
    (("goal", "run", "x", "--budget", "much"), "--budget"),
    (("serve", "--port", "web"), "--port"),
]
GOALS = [
    ("Make me rich", "was not understood"),
    ("nowhere.json", "There is no file nowhere.json."),
]
GOAL_FILES = [
    ("{", "goal.json:1:2 is not JSON"),
    ("[]", "holds a list"),
    ("null", "holds nothing"),
    ('{"goal_typ": "BUILD_ICP"}', "Did you mean 'goal_type'?"),
    ('{"goal_type": "GET_RICH"}', "REVIVE_PIPELINE"),
    ('{"goal_type": "REVIVE_PIPELINE", "constraints": {"max_budget": -1}}', "A budget is zero or more."),
    ('{"goal_type": "REVIVE_PIPELINE", "constraints": 3}', "constraints"),
    ('{"goal_type": "REVIVE_PIPELINE", "target_metrics": {"meeting": 3}}', "meetings"),
    ("[" * 100_000, "nested too deeply"),
    ("\ufeff{}x", "is not JSON"),
]
UNKNOWN = [
    ("show", "nope"),
    ("logs", "nope"),
    ("cancel", "nope"),
    ("resume", "nope"),
    ("approve", "nope"),
    ("approve", "--all", "nope"),
    ("reject", "nope"),
    ("resolve", "nope", "x", "--happened"),
    ("approvals", "show", "nope"),
    ("approvals", "--execution", "nope"),
    ("agents", "nope"),
]
INPUTS = [
    ("lead", "is no key=value"),
    ("=3", "is no key=value"),
    ("@nowhere.json", "There is no file nowhere.json."),
    ("lead=@nowhere.json", "There is no file nowhere.json."),
]


def _refused(*arguments: str, data: Path, **environment: str) -> str:
    said = dirigent(*arguments, data=data, **environment)
    assert said.code == 2, said.err
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert "\nfix: " in said.err
    return said.err


@pytest.mark.parametrize(("arguments", "told"), USAGE, ids=lambda value: str(value)[:40])
def test_wrong_usage(arguments: tuple[str, ...], told: str, tmp_path: Path) -> None:
    """Unknown commands and options, missing and impossible values; the fix names the help to read."""
    said = _refused(*arguments, data=tmp_path / "data")
    assert told in said
    assert "--help` says what there is." in said


@pytest.mark.parametrize(("goal", "told"), GOALS)
def test_goals_that_are_none(goal: str, told: str, tmp_path: Path) -> None:
    """A sentence that names no goal, and a file that is not there; no data folder is made for them."""
    assert told in _refused("goal", "run", goal, data=tmp_path / "data")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("text", "told"), GOAL_FILES, ids=lambda value: str(value)[:40])
def test_goal_files_with_mistakes(text: str, told: str, tmp_path: Path) -> None:
    """Every mistake in a goal file is named, with its place or its field."""
    file = tmp_path / "goal.json"
    file.write_text(text)
    assert told in _refused("goal", "run", str(file), data=tmp_path / "data")


def test_a_goal_file_that_is_no_text(tmp_path: Path) -> None:
    """Bytes that are no text are refused as such."""
    file = tmp_path / "goal.json"
    file.write_bytes(b"\xff\xfe\x00")
    assert "not text in UTF-8" in _refused("goal", "run", str(file), data=tmp_path / "data")


def test_a_goal_in_yaml(tmp_path: Path) -> None:
    """A mistake in YAML has its place too."""
    file = tmp_path / "goal.yaml"
    file.write_text("goal_type: [\n")
    assert "goal.yaml:2:1 is not YAML" in _refused("goal", "run", str(file), data=tmp_path / "data")


@pytest.mark.parametrize("arguments", UNKNOWN, ids=" ".join)
def test_names_that_are_not_there(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """An unknown id is told with the command that lists the known ones."""
    dirigent("run", HELLO, data=tmp_path)
    said = _refused(*arguments, data=tmp_path)
    assert "'nope'" in said
    assert "lists" in said


@pytest.mark.parametrize("arguments", [("ls",), ("show", "x"), ("approvals",), ("verify",), ("resume",)])
def test_a_folder_in_which_nothing_was_run(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Reading commands make no data folder; they say that there is none."""
    said = _refused(*arguments, data=tmp_path / "nowhere")
    assert "nothing has been run there" in said
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(("given", "told"), INPUTS)
def test_inputs_that_are_none(given: str, told: str, tmp_path: Path) -> None:
    """An input that cannot be read is named."""
    assert told in _refused("run", HELLO, "-i", given, data=tmp_path / "data")


def test_a_workflow_that_is_not_there(tmp_path: Path) -> None:
    """A missing workflow file is told like any missing file."""
    assert "There is no file nope.yaml." in _refused("run", "nope.yaml", data=tmp_path / "data")


def test_which_approvals(tmp_path: Path) -> None:
    """Approvals are named or all are taken, not neither and not both."""
    dirigent("run", HELLO, data=tmp_path)
    assert "Which approvals?" in _refused("approve", data=tmp_path)
    assert "not both" in _refused("approve", "apr_1", "--all", "x", data=tmp_path)


def test_settings_that_are_wrong(tmp_path: Path) -> None:
    """A wrong environment variable or configuration file is named."""
    assert "port" in _refused("doctor", data=tmp_path, PORT="many")
    config = tmp_path / "are.config.json"
    config.write_text('{"enabld": true}')
    assert "enabld" in _refused("doctor", data=tmp_path, DIRIGENT_CONFIG=str(config))


def test_a_port_that_cannot_be_had(tmp_path: Path) -> None:
    """A port out of range and a host that is none are told with the option to change."""
    for option in (("--port", "99999"), ("--host", "nowhere.invalid")):
        assert "cannot be listened on" in _refused("serve", *option, data=tmp_path / "data")


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    """A path that cannot be a folder is told with the system's reason: exit code 1."""
    file = tmp_path / "file"
    file.write_text("")
    said = dirigent("goal", "run", write_goal(tmp_path), data=file)
    assert said.code == 1
    assert str(file) in said.err
    assert "fix:" in said.err


def test_a_damaged_store_is_told_as_such(tmp_path: Path) -> None:
    """Records that cannot be opened are a failure of the storage, in a sentence: exit code 1."""
    dirigent("run", HELLO, data=tmp_path)
    (tmp_path / "records.db").unlink()
    (tmp_path / "records.db").mkdir()
    said = dirigent("show", "x", data=tmp_path)
    assert said.code == 1
    assert str(tmp_path / "records.db") in said.err
    assert "fix:" in said.err


def test_what_nobody_expected_goes_to_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An error inside is told in one line that names the log; the traceback stands there."""
    log_to(tmp_path, "info")
    with pytest.raises(ZeroDivisionError) as caught:
        _ = 1 / 0
    try:
        code = end_of(caught.value)
    finally:
        structlog.reset_defaults()
    assert code == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said
    assert "Traceback" not in said
    assert str(tmp_path / "dirigent.log") in said
    assert "Traceback" in (tmp_path / "dirigent.log").read_text()


def test_a_folder_and_a_word_too_many_are_named(tmp_path: Path) -> None:
    """A folder in the place of a file, a missing one, an argument too many: each with what to do."""
    for command in ("run", "validate"):
        assert f"error: {tmp_path} is a folder.\nfix: Name a file in it." in dirigent(command, tmp_path).err
        assert "fix: Check the path" in dirigent(command, tmp_path / "none.yaml").err
        assert "`dirigent workflow run NAME`" in dirigent(command, tmp_path / "stored").err
    assert (
        "It takes nothing more: check_stock is too much."
        in dirigent("agents", "inventory", "check_stock").err
    )
