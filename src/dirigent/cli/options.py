"""Options that every command has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from dirigent.cli.screen import Screen

if TYPE_CHECKING:
    from dirigent.settings import Settings

SHARED = Group("Everywhere", sort_key=100)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Common:
    """Which data folder, and how to answer."""

    data: Annotated[
        Path | None,
        Parameter(help="The data folder; else DIRIGENT_DATA, else .dirigent.", group=SHARED),
    ] = None
    output: Annotated[
        Literal["table", "json"],
        Parameter(name=("--output", "-o"), help="For people, or for programs.", group=SHARED),
    ] = "table"

    def screen(self) -> Screen:
        """Where the command writes."""
        return Screen(self.output)

    def settings(self, **overrides: Any) -> Settings:
        """The settings in force: these options, then the environment, then the defaults.

        From here on the log goes to the data folder, once that is there.
        """
        from dirigent.cli.log_file import log_to
        from dirigent.settings import read_settings

        settings = read_settings(data_folder=self.data, **overrides)
        log_to(settings.data_folder, settings.log_level)
        return settings


DEFAULT = Common()


def key_values(what: str = "") -> Parameter:
    """The option `--input`, given as often as needed; `what` says what it holds."""
    form = "key=value, key=@file.json or @file.json; as often as needed."
    text = f"{what}: {form}" if what else form
    return Parameter(name=("--input", "-i"), negative=(), show_default=False, help=text)
