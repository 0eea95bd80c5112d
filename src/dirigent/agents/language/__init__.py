"""What texts are made of, how they read and sound, and what they are about, for all agents of words."""
