"""Adapters to the world outside, one file per technology, imported only by the composition root."""
