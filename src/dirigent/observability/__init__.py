"""What can be seen of the system from outside: the trace of a run, log lines, counts and spans."""
