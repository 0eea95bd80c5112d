"""What texts are made of and how they read, for every agent that works with words."""
