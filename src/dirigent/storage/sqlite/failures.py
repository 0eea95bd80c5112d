"""What SQLite raises, said in Dirigent's errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from dirigent.domain.errors import DirigentError, InvalidInput, StorageFailure, TransientError

_BUSY = (apsw.BusyError, apsw.LockedError)
_BROKEN_RULE = (apsw.ConstraintError, apsw.MismatchError)


@contextmanager
def storage_errors(path: str) -> Iterator[None]:
    """Raise SQLite's errors from inside as `InvalidInput`, `TransientError` or `StorageFailure`."""
    try:
        yield
    except _BROKEN_RULE as error:
        raise _broken_rule(error) from error
    except _BUSY as error:
        message = f"Another process has been writing to {path} for too long; nothing was stored."
        raise TransientError(message, fix="Try again when it has finished.") from error
    except apsw.Error as error:
        raise _storage_failure(error, path) from error


def _broken_rule(error: apsw.Error) -> DirigentError:
    kind, _, subject = str(error).partition(" constraint failed: ")
    if kind == "NOT NULL":
        return InvalidInput(f"{subject} is required.", field=subject)
    return InvalidInput(f"A rule of the records is broken: {subject or error}.")


def _storage_failure(error: apsw.Error, path: str) -> StorageFailure:
    if isinstance(error, apsw.FullError):
        return StorageFailure(
            f"The disk that holds {path} is full; nothing was stored.", fix="Free some space and repeat."
        )
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return StorageFailure(
            f"{path} is damaged or not a database ({error}).", fix="Restore the file from a backup."
        )
    if isinstance(error, apsw.CantOpenError | apsw.ReadOnlyError | apsw.PermissionsError):
        return StorageFailure(
            f"{path} cannot be opened for writing ({error}).", fix="Check the folder and its permissions."
        )
    return StorageFailure(
        f"Reading or writing {path} failed ({error}); nothing was stored.", fix="Check the disk and repeat."
    )
