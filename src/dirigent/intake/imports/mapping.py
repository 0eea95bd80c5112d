"""What an `import.yaml` may say: which files there are, what they hold, and the rules for their rows."""

from __future__ import annotations

import codecs
import difflib
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic import field_validator as check_field
from pydantic import model_validator as check_model
from pydantic_core import ErrorDetails, PydanticCustomError

from dirigent.domain.canonical import digest_of
from dirigent.domain.errors import InvalidInput
from dirigent.intake.imports.fields import HOLDINGS
from dirigent.intake.imports.yaml_lines import LinedYaml, read_yaml

MAPPING_FILE = "import.yaml"
PROBLEMS_SHOWN = 10

# Raised when the importer makes other records of the same file and mapping: files are then taken in anew.
READING_VERSION = 1

_OUTCOME_MODEL = "Write for instance `then: {kind: return}`."


def _problem(expected: str, fix: str = "") -> PydanticCustomError:
    return PydanticCustomError("mapping", "{expected}", {"expected": expected, "fix": fix})


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"{f'Did you mean {near[0]!r}? ' if near else ''}Known: {', '.join(known)}."


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise _problem(f"a text, number or true/false, not {value}", "Put a date or a list in quotes.")


def _column(value: Any) -> Any:
    if isinstance(value, str | dict):
        return {"column": value} if isinstance(value, str) else value
    raise _problem(f"the name of a column, not {value!r}", "Put it in quotes.")


def _condition(value: Any) -> Any:
    return value if isinstance(value, dict) else {"equals": value}


def _outcome(value: Any) -> Any:
    if value in ("refuse", "note"):
        return {value: True}
    if isinstance(value, dict):
        return value
    raise _problem(f"refuse, note, or a kind and fields to set, not {value!r}", _OUTCOME_MODEL)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _forbid_repeats(names: list[str], what: str) -> None:
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise _problem(f"{what} with different names; two are called {repeated!r}", "Rename or remove one.")


Scalar = Annotated[Any, BeforeValidator(_scalar)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Column(_Strict):
    """Which column fills a field, and what whole cells are to be read as."""

    column: str
    values: dict[str, str | None] = Field(default_factory=dict)
    format: str | None = None


class Condition(_Strict):
    """What must hold for a field; several tests of one condition must all hold."""

    blank: bool | None = None
    equals: Scalar = None
    not_equals: Scalar = None
    in_: list[Scalar] | None = Field(default=None, alias="in")
    not_in: list[Scalar] | None = None
    starts_with: Annotated[list[str] | None, BeforeValidator(_listed)] = None
    matches: str | None = None
    less_than: Scalar = None
    greater_than: Scalar = None

    @check_model(mode="after")
    def _has_test(self) -> Self:
        if not self.model_fields_set:
            tests = [field.alias or name for name, field in type(self).model_fields.items()]
            raise _problem("a test", f"One of {', '.join(tests)}.")
        return self


class Outcome(_Strict):
    """What becomes of a row: refused, given a kind, mended by setting fields, or only counted."""

    refuse: bool = False
    note: bool = False
    kind: str | None = None
    set: dict[str, Scalar] = Field(default_factory=dict)

    @check_model(mode="after")
    def _says_one_thing(self) -> Self:
        if [self.refuse, self.note, bool(self.kind or self.set)].count(True) != 1:
            raise _problem("refuse, note, or a kind and fields to set, and one of these", _OUTCOME_MODEL)
        return self


class Rule(_Strict):
    """One named rule: for which rows, what becomes of them, and why."""

    name: str = Field(min_length=1)
    when: dict[str, Annotated[Condition, BeforeValidator(_condition)]] = Field(min_length=1)
    then: Annotated[Outcome, BeforeValidator(_outcome)]
    reason: str = Field(min_length=1)


class FileSpec(_Strict):
    """One file: what it holds, how it is written, which columns fill its fields and which rules hold."""

    file: str
    holds: str
    columns: dict[str, Annotated[Column, BeforeValidator(_column)]] = Field(min_length=1)
    rules: list[Rule] = Field(default_factory=list)
    encoding: str = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    decimal: Literal[".", ","] = "."
    timezone: str = "UTC"

    @check_field("file")
    @classmethod
    def _stays_inside(cls, value: str) -> str:
        path = PurePosixPath(value)
        if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in value:
            raise _problem("a file name inside the folder of import.yaml")
        return value

    @check_field("holds")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in HOLDINGS:
            raise _problem("something a file can hold", _nearest(value, list(HOLDINGS)))
        return value

    @check_field("encoding")
    @classmethod
    def _is_encoding(cls, value: str) -> str:
        try:
            "".encode(value)
            return codecs.lookup(value).name
        except LookupError:
            raise _problem("an encoding", "For instance utf-8, cp1252 or latin-1.") from None

    @check_field("delimiter")
    @classmethod
    def _separates(cls, value: str) -> str:
        if value in '"\r\n':
            raise _problem("a mark that separates columns", "For instance , or ; or a tab.")
        return value

    @check_field("timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            return value if value == "UTC" else ZoneInfo(value).key
        except (KeyError, OSError, ValueError):
            raise _problem("a time zone", "For instance Europe/London.") from None

    @check_field("rules")
    @classmethod
    def _names_each_rule_once(cls, value: list[Rule]) -> list[Rule]:
        _forbid_repeats([rule.name for rule in value], "rules")
        return value

    @property
    def digest(self) -> str:
        """Names the way this file is read, by content."""
        return digest_of([READING_VERSION, self.model_dump(mode="json", by_alias=True)])


class _Document(_Strict):
    version: Literal[1] = 1
    files: list[FileSpec] = Field(min_length=1)

    @check_field("files")
    @classmethod
    def _names_each_file_once(cls, value: list[FileSpec]) -> list[FileSpec]:
        _forbid_repeats([spec.file for spec in value], "files")
        return value


class ImportMapping:
    """A checked `import.yaml`. `problem` makes an error that names the place in it."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise InvalidInput(
                f"There is no {path.name} in {path.parent}.",
                fix="It says what the CSV files hold; examples/wholesaler/import.yaml is a model.",
                field=path.name,
            )
        self._name = path.name
        self._yaml = read_yaml(path)
        self.files: tuple[FileSpec, ...] = tuple(self._document(self._yaml).files)
        self._check_fields()

    def problem(self, where: tuple[int | str, ...], expected: str, fix: str = "") -> InvalidInput:
        """An error about a place in the file: file, line, key, what was expected, and a fix."""
        return InvalidInput(self._sentence(where, expected), fix=fix, field=_dotted(where))

    def _sentence(self, where: tuple[int | str, ...], expected: str) -> str:
        line = self._yaml.line_of(where)
        return f"{self._name} line {line}, {_dotted(where) or 'the file'}: expected {expected}."

    def _document(self, source: LinedYaml) -> _Document:
        try:
            return _Document.model_validate(source.data)
        except ValidationError as error:
            details = error.errors(include_url=False)
            raise self._all_problems(details) from error

    def _all_problems(self, details: list[ErrorDetails]) -> InvalidInput:
        parts = [(detail["loc"], *_expectation(detail)) for detail in details[:PROBLEMS_SHOWN]]
        lines = [f"{self._sentence(where, expected)} {fix}".strip() for where, expected, fix in parts]
        more = len(details) - len(parts)
        text = "\n".join(lines) + (f"\nand {more} more" if more else "")
        return InvalidInput(text, field=_dotted(parts[0][0]))

    def _check_fields(self) -> None:
        for number, spec in enumerate(self.files):
            known = [field.name for field in HOLDINGS[spec.holds]]
            self._check_known(("files", number, "columns"), spec.columns, known)
            for field in HOLDINGS[spec.holds]:
                if field.required and field.name not in spec.columns:
                    where = ("files", number, "columns")
                    raise self.problem(where, f"a column for {field.name}", f"Add `{field.name}: <column>`.")
            for place, rule in enumerate(spec.rules):
                self._check_known(("files", number, "rules", place, "when"), rule.when, known)
                self._check_known(("files", number, "rules", place, "then", "set"), rule.then.set, known)

    def _check_known(self, where: tuple[int | str, ...], names: dict[str, Any], known: list[str]) -> None:
        for name in names:
            if name not in known:
                raise self.problem((*where, name), "the name of a field", _nearest(name, known))


def _expectation(detail: ErrorDetails) -> tuple[str, str]:
    kind, key = detail["type"], str(detail["loc"][-1]) if detail["loc"] else ""
    context = detail.get("ctx", {})
    if kind == "mapping":
        return str(context["expected"]), str(context["fix"])
    if kind == "missing":
        return "this key, which is missing", f"Add `{key}:` here."
    if kind == "extra_forbidden":
        return "a known key", f"Remove or correct {key!r}."
    if kind == "string_type":
        return f"a text, not {detail['input']!r}", "Put it in quotes."
    return f"{detail['msg'].removeprefix('Input should be ')}, not {detail['input']!r:.60}", ""


def _dotted(where: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in where)
