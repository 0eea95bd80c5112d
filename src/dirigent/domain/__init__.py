"""Frozen values and the vocabulary of Dirigent. Nothing here acts, waits or reads a clock."""
