"""Generator nodes: one video, or a batch of them on every GPU."""
