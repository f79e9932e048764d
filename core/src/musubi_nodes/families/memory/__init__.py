"""GPU memory: estimates and plans."""
