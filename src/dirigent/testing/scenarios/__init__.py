"""Cases that every runtime has to play in the same way."""

from dirigent.testing.scenarios.acting import ACTING
from dirigent.testing.scenarios.going import GOING
from dirigent.testing.scenarios.stopping import STOPPING
from dirigent.testing.scenarios.waiting import WAITING

SCENARIOS = (*ACTING, *WAITING, *GOING, *STOPPING)

__all__ = ["SCENARIOS"]
