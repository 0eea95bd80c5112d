"""Everything that can start a run or bring data in: requests, schedules, events, imports."""
