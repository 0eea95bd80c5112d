"""A small shop whose files a test writes and takes in."""

import gzip
from pathlib import Path
from typing import Any

import pytest
import yaml

from dirigent.intake.imports import FileReport, ImportReport, import_folder
from dirigent.storage.sqlite.records import SqliteRecords

TENANT = "org_123"
HEADER = "no,at,customer,sku,text,quantity,price,country"
LINES = """\
1,2011-01-05 09:00:00,17,mug,MUG,2,1.50,GB
1,2011-01-05 09:00:00,17,mug,MUG,2,1.50,GB
2,2011-02-01 10:00:00,18,pot,POT,1,4.00,DE
"""
COLUMNS = {
    "order_id": "no",
    "ordered_at": "at",
    "customer_id": "customer",
    "sku": "sku",
    "description": "text",
    "quantity": "quantity",
    "unit_price": "price",
    "country": "country",
}


class Shop:
    """A folder with one or two files, and the records they are taken into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = SqliteRecords(":memory:")

    def lines(self, body: str = LINES, *, header: str = HEADER, name: str = "lines.csv") -> None:
        """Write the file of order lines, packed if its name says so."""
        text = f"{header}\n{body}".encode()
        (self.folder / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)

    def mapping(self, *rules: dict[str, Any], **changes: Any) -> None:
        """Write an import.yaml for the order lines."""
        spec = {
            "file": "lines.csv",
            "holds": "order_lines",
            "columns": COLUMNS,
            "rules": list(rules),
        } | changes
        self.mapping_text(yaml.safe_dump({"version": 1, "files": [spec]}))

    def mapping_text(self, text: str) -> None:
        """Write an import.yaml as it stands."""
        (self.folder / "import.yaml").write_text(text, encoding="utf-8")

    def take(self, **options: Any) -> ImportReport:
        """Import the folder."""
        return import_folder(self.folder, self.records, TENANT, **options)

    def take_file(self, **options: Any) -> FileReport:
        """Import the folder and report on its only file."""
        (report,) = self.take(**options).files
        return report

    def fetch(self, entity: str, *columns: str) -> list[Any]:
        """Rows of an entity; of one column, its values."""
        rows = self.records.fetch(TENANT, entity, columns=columns)
        return [row[columns[0]] for row in rows] if len(columns) == 1 else rows

    def count(self, entity: str) -> int:
        """How many rows an entity has."""
        return self.records.count(TENANT, entity)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.lines()
    shop.mapping()
    return shop
