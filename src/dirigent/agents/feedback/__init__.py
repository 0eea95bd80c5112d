"""Agents that read what customers say."""
