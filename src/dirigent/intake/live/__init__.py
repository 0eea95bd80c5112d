"""What happens, told to people and programs while it happens: its names, and who is told of it."""
