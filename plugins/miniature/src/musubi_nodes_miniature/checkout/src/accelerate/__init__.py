"""A practice stand-in for the accelerate launcher: one process on this machine, no torch."""
