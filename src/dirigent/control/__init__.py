"""Proposes, never executes: planning, checking, grading and learning are agents like any other."""
