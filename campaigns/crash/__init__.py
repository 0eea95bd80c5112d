"""kill -9 of the engine: at random moments, at named points, again while it recovers."""
