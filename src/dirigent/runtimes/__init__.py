"""Drivers that obey the machine's commands."""
