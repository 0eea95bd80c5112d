"""The commands. Each module is imported when its command is run, and imports the engine when it needs it."""
