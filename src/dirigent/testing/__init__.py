"""For tests: verified stand-ins and the suites that every backend of a port has to pass."""
