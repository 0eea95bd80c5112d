"""Cases that every runtime has to play in the same way."""

from dirigent.testing.scenarios.acting import ACTING
from dirigent.testing.scenarios.waiting import WAITING

SCENARIOS = (*ACTING, *WAITING)

__all__ = ["SCENARIOS"]
