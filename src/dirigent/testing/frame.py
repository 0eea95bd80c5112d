"""pytest, for the kits. Where it is not installed they can be imported all the same, though not run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["pytest"]


class _Absent:
    """Stands where pytest would: takes any attribute and lets what it decorates through as it is."""

    def __getattr__(self, name: str) -> _Absent:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return args[0] if len(args) == 1 and callable(args[0]) and not kwargs else self


if TYPE_CHECKING:
    import pytest
else:
    try:
        import pytest
    except ModuleNotFoundError:
        pytest = _Absent()
