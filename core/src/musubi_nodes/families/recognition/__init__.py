"""What a weights file is, told by its header: one table of kinds for all families."""
