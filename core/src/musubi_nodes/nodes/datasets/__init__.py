"""Nodes that load, edit and show a dataset."""
