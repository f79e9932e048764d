"""The nodes that load, edit and show a dataset."""
