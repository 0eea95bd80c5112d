"""`dirigent import`: what was taken, mended and refused, and that a second time says nothing new."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.terminal import ACTIVE, DORMANT, ORDERS, TENANT, dirigent, write_books

LINES = (DORMANT + ACTIVE) * ORDERS * 3


def test_reports_every_file(tmp_path: Path) -> None:
    """The table names files, what they hold, and how many rows were taken."""
    said = dirigent("import", write_books(tmp_path / "books"), "--org", TENANT, data=tmp_path / "data")
    assert said.code == 0
    assert said.err == ""
    assert "orders.csv → order_lines" in said.out
    assert f"{LINES:,} taken" in said.out
    assert "contacts.csv → contacts" in said.out


def test_names_line_and_reason_of_what_is_refused(tmp_path: Path) -> None:
    """A refused row is told with its file, its line and the rule's reason."""
    books = write_books(tmp_path / "books", refused=True)
    said = dirigent("import", books, data=tmp_path / "data")
    assert said.code == 0
    assert f"refused: orders.csv line {LINES + 2}: Nothing is sold below nothing." in said.out
    assert "negative-price" in said.out


def test_strict_refuses_the_file(tmp_path: Path) -> None:
    """With --strict one refused row refuses its file: exit code 2, with the line and the way out."""
    books = write_books(tmp_path / "books", refused=True)
    said = dirigent("import", books, "--strict", data=tmp_path / "data")
    assert said.code == 2
    assert f"line {LINES + 2}" in said.err
    assert "fix:" in said.err


def test_a_second_time_says_nothing_new(tmp_path: Path) -> None:
    """What is on record already is not read again."""
    books, data = write_books(tmp_path / "books"), tmp_path / "data"
    dirigent("import", books, data=data)
    said = dirigent("import", books, data=data)
    assert said.code == 0
    assert said.out.startswith("Nothing new: 3 files are on record")


def test_as_json(tmp_path: Path) -> None:
    """-o json gives one document with files, rules and examples, and nothing beside it."""
    books = write_books(tmp_path / "books", refused=True)
    found = dirigent("import", books, "-o", "json", data=tmp_path / "data").data
    orders = found["files"][0]
    assert (orders["rows_taken"], orders["rows_refused"]) == (LINES, 1)
    rule = next(rule for rule in orders["rules"] if rule["rows"])
    assert rule["examples"][0]["line"] == LINES + 2


def test_a_folder_without_mapping(tmp_path: Path) -> None:
    """A folder that says nothing of its files is refused, and so is one that is not there."""
    for folder in (tmp_path, tmp_path / "nowhere"):
        said = dirigent("import", folder, data=tmp_path / "data")
        assert said.code == 2
        assert "import.yaml" in said.err
        assert "fix:" in said.err


STOCKROOM = Path(__file__).parents[2] / "examples" / "stockroom"


def test_names_a_next_command_that_fits(tmp_path: Path) -> None:
    """Orders are worth a goal, a stock is worth watching; each for the tenant whose books they are."""
    orders = dirigent("import", write_books(tmp_path / "books"), "--org", TENANT, data=tmp_path / "data")
    stock = dirigent("import", STOCKROOM, "--org", TENANT, data=tmp_path / "data")
    assert f"dirigent goal run examples/goals/revive_pipeline.json --org {TENANT}" in orders.out
    assert f"dirigent run examples/workflows/stock_watch.yaml --org {TENANT}" in stock.out
    assert "goal" not in stock.out
