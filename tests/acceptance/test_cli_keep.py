"""`dirigent verify` and `doctor`."""

from __future__ import annotations

from pathlib import Path

import apsw

from tests.acceptance.terminal import TENANT, dirigent, write_books

HELLO = Path(__file__).parents[2] / "examples" / "workflows" / "hello.yaml"


def test_verify(tmp_path: Path) -> None:
    """A sound journal verifies, with its counts."""
    dirigent("run", HELLO, data=tmp_path)
    said = dirigent("verify", data=tmp_path)
    assert said.code == 0
    assert "every digest verifies" in said.out
    found = dirigent("verify", "-o", "json", data=tmp_path).data
    assert found["ok"]
    assert found["verification"]["events"] > 5


def test_verify_names_what_is_damaged(tmp_path: Path) -> None:
    """One changed byte is exit code 1, with the stream's name."""
    execution_id = dirigent("run", HELLO, "-o", "json", data=tmp_path).data["execution_id"]
    connection = apsw.Connection(str(tmp_path / "journal.db"))
    connection.execute("DROP TRIGGER events_are_not_changed")
    connection.execute(
        "UPDATE events SET body = CAST(body || 'x' AS BLOB)"
        " WHERE position = (SELECT max(position) FROM events)"
    )
    connection.close()
    said = dirigent("verify", data=tmp_path)
    assert said.code == 1
    assert execution_id in said.err
    assert "fix:" in said.err
    found = dirigent("verify", "-o", "json", data=tmp_path)
    assert found.code == 1
    assert execution_id in {damage["stream"] for damage in found.data["verification"]["damages"]}


def test_doctor_on_nothing(tmp_path: Path) -> None:
    """Where there is no data folder yet, that is what it says, and it makes none."""
    said = dirigent("doctor", data=tmp_path / "data")
    assert said.code == 0, said.err
    assert "not there yet" in said.out
    assert "off: every message is held" in said.out
    assert not (tmp_path / "data").exists()


def test_doctor_on_something(tmp_path: Path) -> None:
    """It says of when the books speak, and where each setting comes from."""
    dirigent("import", write_books(tmp_path / "books"), "--org", TENANT, data=tmp_path / "data")
    said = dirigent(
        "doctor", "--org", TENANT, data=tmp_path / "data", DIRIGENT_ALLOW_DELIVERY="1", PORT="9000"
    )
    assert f"{TENANT}: as of 2011-09-30" in said.out
    assert "on: approved messages leave" in said.out
    found = dirigent("doctor", "-o", "json", data=tmp_path / "data", PORT="9000").data
    assert found["settings"]["port"] == {"value": 9000, "source": "PORT"}
    assert found["settings"]["data_folder"]["source"] == "--data"
    assert found["settings"]["learning.minSamplesForLearning"]["source"] == "default"
    assert found["versions"]["python"]
    assert found["problems"] == []
