"""The collector of reference cycles, kept from looking through what stays and what is gone by itself."""

from __future__ import annotations

import functools
import gc

DEFAULT_THRESHOLD = 700
THRESHOLD = 10_000


@functools.cache
def spare_what_stays() -> None:
    """Have collections pass over what there is when the first engine of a process is open, and be rare.

    What there is is above all code, some 75,000 objects, which a full collection looks through in 45 ms:
    time in which nothing else goes on. Almost everything that a run makes is gone without a collection.
    Once only, so that engines opened and closed later leave nothing behind; a threshold that somebody chose
    is left as it is.
    """
    gc.freeze()
    young, *older = gc.get_threshold()
    if young == DEFAULT_THRESHOLD:
        gc.set_threshold(THRESHOLD, *older)
