"""The published entry point of the revenue engine; everything behind it is Dirigent."""
