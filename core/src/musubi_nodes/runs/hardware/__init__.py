"""GPUs and the machine: who may use them, what they hold, what they held during a run."""
