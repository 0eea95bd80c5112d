"""The HTTP interface: thin routers over intake and engine, one form for every error."""
