"""Executes, never plans: the registry of agents and the dispatcher, the one door to the world."""
