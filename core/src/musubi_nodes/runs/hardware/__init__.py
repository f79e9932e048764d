"""GPUs and the machine."""
