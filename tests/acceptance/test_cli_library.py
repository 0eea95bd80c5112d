"""`dirigent workflow`: stored workflows on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.terminal import Said, dirigent

FIRST = "# greets\nname: Say Hello\nsteps:\n  - {id: a, type: transform, parameters: {text: Hello}}\n"
SECOND = FIRST.replace("Hello}", "Good day}")


class Desk:
    """A data folder and the workflow files beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file("first.yaml", FIRST)
        self.file("second.yaml", SECOND)

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def say(self, *words: object) -> Said:
        return dirigent("workflow", *words, data=self.folder / "data")

    def good(self, *words: object) -> Said:
        said = self.say(*words)
        assert said.code == 0, said.err
        return said


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def stored(desk: Desk) -> Desk:
    desk.good("save", desk.folder / "first.yaml", "--note", "as it began")
    desk.good("save", desk.folder / "second.yaml", "--note", "more formal")
    return desk


def test_save_and_list(desk: Desk) -> None:
    """A file becomes version 1, changed content version 2, the same again nothing new."""
    assert "Say Hello: version 1, new" in desk.good("save", desk.folder / "first.yaml").out
    assert "Say Hello: version 1, known already" in desk.good("save", desk.folder / "first.yaml").out
    [saved] = desk.good("save", desk.folder / "second.yaml", "-o", "json").data
    assert (saved["version"], saved["is_new"]) == (2, True)
    [row] = desk.good("list", "-o", "json").data
    assert (row["name"], row["version"], row["versions"], row["state"]) == ("Say Hello", 2, 2, "active")
    assert "Say Hello" in desk.good("list").out


def test_wrong_files_store_nothing(desk: Desk) -> None:
    """If one of several files has a mistake, none of them is stored."""
    wrong = desk.file("wrong.yaml", "name: x\nsteps: [{id: a, type: transfrom}]\n")
    said = desk.say("save", desk.folder / "first.yaml", wrong)
    assert said.code == 2
    assert f"{wrong}:2:23 WF010" in said.err
    assert not (desk.folder / "data").exists()


def test_advice_is_given_when_saving(desk: Desk) -> None:
    """A workflow that deserves a warning is stored, and the warning told."""
    said = desk.good("save", desk.file("ask.yaml", "name: ask\nsteps: [{id: a, type: approval}]\n"))
    assert "WL007" in said.err
    assert "ask: version 1, new" in said.out


def test_show_versions_and_diff(stored: Desk) -> None:
    """A version comes out as it went in; versions carry their notes; differences are told both ways."""
    assert stored.good("show", "say-hello", "--version", 1).out == FIRST
    assert stored.good("show", "say-hello").out == SECOND
    versions = stored.good("versions", "say-hello").out
    assert versions.index("more formal") < versions.index("as it began")
    assert stored.good("versions", "Say Hello", "-o", "json").data["in_force"] == 2
    assert stored.good("diff", "say-hello", 1).out == "~ steps.a.parameters.text: 'Hello' -> 'Good day'\n"
    assert "+        text: Good day" in stored.good("diff", "say-hello", 1, 2, "--text").out
    assert stored.good("diff", "say-hello", 2, 2).out == "Both do the same.\n"
    [change] = stored.good("diff", "say-hello", 2, 1, "-o", "json").data["changes"]
    assert (change["path"], change["kind"]) == ("steps.a.parameters.text", "changed")


def test_rollback_and_run(stored: Desk) -> None:
    """What runs by name is the version in force, or the one asked for."""
    assert stored.good("run", "say-hello", "-o", "json").data["output"] == {"text": "Good day"}
    assert "version 1 of 2 is in force" in stored.good("rollback", "say-hello", 1).out
    assert stored.good("run", "say-hello", "-o", "json").data["output"] == {"text": "Hello"}
    assert stored.good("run", "say-hello", "--version", 2, "-o", "json").data["output"] == {
        "text": "Good day"
    }
    again = stored.say("rollback", "say-hello", 1)
    assert again.code == 1
    assert "in force already" in again.err


def test_pause_and_resume(stored: Desk) -> None:
    """A paused workflow is refused with who paused it and how to go on."""
    assert "paused" in stored.good("pause", "say-hello", "--reason", "holidays").out
    said = stored.say("run", "say-hello")
    assert said.code == 1
    assert "is paused by" in said.err
    assert "dirigent workflow resume say-hello" in said.err
    assert "holidays" in stored.good("versions", "say-hello").out
    assert "active" in stored.good("resume", "say-hello").out
    assert stored.good("run", "say-hello", "-o", "json").data["status"] == "completed"


def test_export_and_import(stored: Desk) -> None:
    """What was exported is taken in by another folder as it was."""
    target = stored.folder / "all.zip"
    assert "1 workflow" in stored.good("export", target).out
    other = stored.folder / "other"
    assert dirigent("workflow", "import", target, data=other).code == 0
    shown = dirigent("workflow", "show", "say-hello", data=other)
    assert shown.out == SECOND
    assert len(dirigent("workflow", "versions", "say-hello", "-o", "json", data=other).data["versions"]) == 2


def test_check_is_validate(stored: Desk) -> None:
    """`workflow check` says what `validate` says."""
    file = stored.folder / "first.yaml"
    assert stored.good("check", file).out == dirigent("validate", file).out


def test_what_is_not_there(desk: Desk) -> None:
    """Before anything was run there is no journal; a name that is not stored names the nearest."""
    assert "nothing has been run there" in desk.say("list").err
    desk.good("save", desk.folder / "first.yaml")
    said = desk.say("show", "say-helo")
    assert said.code == 2
    assert "There is no workflow 'say-helo'" in said.err
    assert "has no version 7" in desk.say("show", "say-hello", "--version", 7).err
