"""Who may act, what must not be said, and the guard on every action."""
