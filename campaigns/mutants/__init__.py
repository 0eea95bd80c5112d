"""Faults planted on purpose in a copy of the engine: does the simulation, or a test, see each of them?"""
