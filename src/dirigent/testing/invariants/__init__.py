"""What must hold of every run, whatever happened to it: forty invariants and one check of all of them.

    report = check(journal.tail(0, limit), client_log, recorder_log)
    assert report.sound, report.violations

The check reads three things and nothing else: the journal, the log of those who asked the engine, and the
log of those it acted upon. The simulator and the campaigns that kill processes use the same one. `INVARIANTS`
says what each id promises, `ELSEWHERE` which of them this evidence says nothing about, and why.
`Report.never_exercised` names what was not put to the test: a campaign in which that is not empty proves less
than it seems to.
"""

from dirigent.testing.invariants.acknowledging import start_body
from dirigent.testing.invariants.checking import Projected, check
from dirigent.testing.invariants.evidence import (
    ACKNOWLEDGED,
    REFUSED,
    UNKNOWN,
    Answered,
    Called,
    ClientEntry,
    Ended,
    Entry,
    Listed,
    Opened,
    StorageFailed,
    Told,
    fingerprint,
    read_log,
    write_log,
)
from dirigent.testing.invariants.findings import ELSEWHERE, INVARIANTS, PARTS, Report, Violation, joined
from dirigent.testing.invariants.liveness import Quiet

__all__ = [
    "ACKNOWLEDGED",
    "ELSEWHERE",
    "INVARIANTS",
    "PARTS",
    "REFUSED",
    "UNKNOWN",
    "Answered",
    "Called",
    "ClientEntry",
    "Ended",
    "Entry",
    "Listed",
    "Opened",
    "Projected",
    "Quiet",
    "Report",
    "StorageFailed",
    "Told",
    "Violation",
    "check",
    "fingerprint",
    "joined",
    "read_log",
    "start_body",
    "write_log",
]
