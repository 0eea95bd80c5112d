"""Times that come again: when they come, and who is started when they do."""
