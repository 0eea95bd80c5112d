"""Goals: read, accepted, and told back."""
