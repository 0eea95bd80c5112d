"""SQL lives in `.sql` files, as blocks that begin with `-- name: <name>`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

_MARK = re.compile(r"^-- name: (.+)$", re.MULTILINE)


def load_statements(package: str, resource: str) -> Mapping[str, str]:
    """The named blocks of one `.sql` file that lies in a package."""
    text = files(package).joinpath(resource).read_text(encoding="utf-8")
    _, *parts = _MARK.split(text)
    return {name.strip(): body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
