"""Terminal host."""
