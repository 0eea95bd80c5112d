"""Taking a folder of CSV files into the records, one transaction for each file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from dirigent.domain.canonical import plain
from dirigent.domain.errors import InvalidInput
from dirigent.intake.imports.mapping import MAPPING_FILE, ImportMapping
from dirigent.intake.imports.plan import FilePlan, make_plan
from dirigent.intake.imports.reader import CsvSource, content_hash, open_source
from dirigent.intake.imports.report import EXAMPLES_MAX, FileReport, ImportReport
from dirigent.intake.imports.row_reading import RowReading
from dirigent.ports import RecordsLoad, RecordsLoader

BATCH_ROWS = 2_000
REFUSALS_SHOWN = 5

Progress = Callable[[str, int, int], None]


def import_folder(
    folder: Path,
    records: RecordsLoader,
    tenant: str,
    *,
    strict: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Take in the files that `import.yaml` in the folder names, and report what happened to their rows.

    Every file is checked before the first is read. Each is then taken in as a whole or not at all; with
    `strict`, one refused row refuses its file (`InvalidInput`), and the files before it stay. A file
    whose content and mapping were taken in before is not read again. `progress` hears the file's name,
    the bytes done and the bytes of all files.
    """
    mapping = ImportMapping(folder / MAPPING_FILE)
    plans = [make_plan(mapping, number, folder) for number in range(len(mapping.files))]
    meter = _Meter(total=sum(plan.path.stat().st_size for plan in plans), tell=progress)
    job = _Job(folder=folder, records=records, tenant=tenant, strict=strict, meter=meter)
    return ImportReport(tenant=tenant, files=tuple(job.import_file(plan) for plan in plans))


@dataclass(kw_only=True)
class _Meter:
    """Adds up the bytes of several files for the one who watches."""

    total: int
    tell: Progress | None
    finished: int = 0

    def within(self, name: str, bytes_done: int) -> None:
        if self.tell is not None:
            self.tell(name, self.finished + bytes_done, self.total)

    def finish(self, name: str, file_bytes: int) -> None:
        self.finished += file_bytes
        self.within(name, 0)


@dataclass(frozen=True, kw_only=True)
class _Job:
    folder: Path
    records: RecordsLoader
    tenant: str
    strict: bool
    meter: _Meter

    def import_file(self, plan: FilePlan) -> FileReport:
        sha256 = content_hash(plan.path)
        report = self._known(plan, sha256) or self._read(plan, sha256)
        self.meter.finish(plan.spec.file, plan.path.stat().st_size)
        return report

    def _known(self, plan: FilePlan, sha256: str) -> FileReport | None:
        """The report on record if it is of this very content and mapping."""
        last = self.records.last_import(self.tenant, plan.spec.file)
        if last is None or (last["sha256"], last["mapping_sha256"]) != (sha256, plan.spec.digest):
            return None
        if self.strict and last["rows_refused"]:
            return None
        return msgspec.structs.replace(msgspec.convert(last["report"], FileReport), state="nothing_new")

    def _read(self, plan: FilePlan, sha256: str) -> FileReport:
        reading = RowReading(plan)
        columns = [field.name for field in plan.fields]
        with (
            open_source(self.folder, plan.spec) as source,
            self.records.load(self.tenant, plan.spec.holds, columns) as load,
        ):
            for batch in _batches(source, reading):
                _hand_over(load, reading, batch)
                self.meter.within(plan.spec.file, source.bytes_done)
            reading.refuse_repeated(*load.drop_repeated(EXAMPLES_MAX))
            report = reading.report(sha256)
            if self.strict and report.rows_refused:
                raise _refusal(report)
            load.commit(_entry(plan, report))
        return report


def _batches(source: CsvSource, reading: RowReading) -> Iterator[list[list[Any]]]:
    rows = source.rows()
    while some := list(islice(rows, BATCH_ROWS)):
        read = [reading.take(line, cells) for line, cells in some]
        yield [row for row in read if row is not None]


def _hand_over(load: RecordsLoad, reading: RowReading, batch: list[list[Any]]) -> None:
    load.add(batch)
    if reading.refused_keys:
        load.withdraw(reading.refused_keys)
        reading.refused_keys.clear()


def _entry(plan: FilePlan, report: FileReport) -> dict[str, Any]:
    return {
        "source": report.source,
        "sha256": report.sha256,
        "mapping_sha256": plan.spec.digest,
        "rows_taken": report.rows_taken,
        "rows_mended": report.rows_mended,
        "rows_refused": report.rows_refused,
        "report": plain(report),
    }


def _refusal(report: FileReport) -> InvalidInput:
    refused = [
        (example.line, f"line {example.line}: {example.detail or rule.reason} ({rule.name})")
        for rule in report.rules
        if rule.action == "refuse"
        for example in rule.examples
    ]
    rows = report.rows_taken + report.rows_refused
    first = "; ".join(sentence for _, sentence in sorted(refused)[:REFUSALS_SHOWN])
    return InvalidInput(
        f"{report.source}: {report.rows_refused} of {rows} rows are refused, so none is taken: {first}.",
        fix="Correct the file or its rules, or import without strict.",
        field=report.source,
    )
