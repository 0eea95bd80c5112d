"""Large files pass through in little memory, and a killed import leaves nothing half."""

import gzip
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dirigent.domain.errors import InvalidInput
from dirigent.intake.imports import import_folder
from dirigent.storage.sqlite.records import SqliteRecords
from tests.intake.imports.conftest import HEADER, TENANT

LARGE_ROWS = 60_000
MEMORY_GROWTH_MIB_MAX = 24

MEASURE = """
import json, resource, sys
from pathlib import Path
from dirigent.intake.imports import import_folder
from dirigent.storage.sqlite.records import SqliteRecords

peaks = []
for folder in sys.argv[1:]:
    records = SqliteRecords(Path(folder) / "records.db")
    report = import_folder(Path(folder), records, "org_123")
    peaks.append((report.rows_taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
print(json.dumps(peaks))
"""

DIE = """
import os, signal, sys
from pathlib import Path
from dirigent.intake.imports import import_folder
from dirigent.storage.sqlite.records import SqliteRecords

def progress(name, done, total):
    if done >= total * float(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

folder = Path(sys.argv[1])
import_folder(folder, SqliteRecords(folder / "records.db"), "org_123", progress=progress)
"""


def write_lines(shop, rows: int) -> None:
    """A file of many rows, every cell of which is new; packed, it would be no test."""
    with (shop.folder / "lines.csv").open("w") as text:
        text.write(HEADER + "\n")
        name = "name of " * 20
        text.writelines(
            f"{row // 20},2011-01-05 09:{row % 60:02},{row // 100},sku-{row},{name}{row},{row},1.5,GB\n"
            for row in range(rows)
        )


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )


def test_memory_does_not_grow_with_the_file(shop, tmp_path_factory):
    """A file a thousand times longer takes hardly more memory; most of that is SQLite's page cache."""
    large = type(shop)(tmp_path_factory.mktemp("large"))
    large.mapping()
    write_lines(large, LARGE_ROWS)
    write_lines(shop, LARGE_ROWS // 1000)
    done = run(MEASURE, str(shop.folder), str(large.folder))
    (few, small), (many, peak) = json.loads(done.stdout)
    assert (few, many) == (LARGE_ROWS // 1000, LARGE_ROWS)
    assert (large.folder / "lines.csv").stat().st_size > 10 * 2**20
    assert peak - small < MEMORY_GROWTH_MIB_MAX


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_killed_import_leaves_nothing_half(shop, share):
    """Killed at the start, in the middle or after the last row: all of the file is there, or nothing."""
    write_lines(shop, 6_000)
    assert run(DIE, str(shop.folder), str(share)).returncode == -signal.SIGKILL
    records = SqliteRecords(shop.folder / "records.db")
    for entity in ("orders", "order_lines", "customers", "products", "imports"):
        assert records.count(TENANT, entity) == 0
    assert import_folder(shop.folder, records, TENANT).rows_taken == 6_000
    assert records.count(TENANT, "order_lines") == 6_000


def test_a_packed_bomb_is_only_a_long_file(shop):
    """A small file that unpacks to one endless line is refused before it fills the memory."""
    with gzip.open(shop.folder / "lines.csv", "wb") as packed:
        packed.write(f"{HEADER}\n".encode())
        for _ in range(64):
            packed.write(b"x" * 2**20)
    assert (shop.folder / "lines.csv").stat().st_size < 2**18
    with pytest.raises(InvalidInput, match="a line is longer than"):
        shop.take()


def test_a_file_is_left_as_it_was(shop):
    """Importing reads, and writes only records."""
    before = {path.name: path.read_bytes() for path in Path(shop.folder).iterdir()}
    shop.take()
    assert {path.name: path.read_bytes() for path in Path(shop.folder).iterdir()} == before
