"""Learning from labels."""
