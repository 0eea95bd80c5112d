"""Workflows stored by name: versions, which of them is in force, and the way out and in as files."""
