"""What the kits need of a test framework, so that they can be imported without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Caught:
    """The exception that was raised inside `raises`, once it was."""

    error: BaseException


@contextmanager
def raises(*kinds: type[BaseException]) -> Iterator[Caught]:
    """Expect one of these exceptions; `AssertionError` where none comes."""
    caught = Caught()
    try:
        yield caught
    except kinds as error:
        caught.error = error
        return
    names = " or ".join(kind.__name__ for kind in kinds)
    raise AssertionError(f"{names} was expected, and nothing was raised")
