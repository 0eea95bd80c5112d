"""Triggers at work: found for an event, filtered, and fired."""
