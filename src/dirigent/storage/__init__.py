"""Adapters that keep things: one folder per technology, named SQL in `.sql` files."""
