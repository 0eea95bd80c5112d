"""Connectors: other systems are asked what has changed, and every change becomes an event once."""
