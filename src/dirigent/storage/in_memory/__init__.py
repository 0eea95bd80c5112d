"""Storage that lives and dies with the process."""
