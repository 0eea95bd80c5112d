"""The disk as the enemy: power cut between any two writes, bits turned round, writes that fail."""
