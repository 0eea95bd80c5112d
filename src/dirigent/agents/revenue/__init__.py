"""Agents of the revenue cycle: find dormant customers, research, write, check, and send."""
