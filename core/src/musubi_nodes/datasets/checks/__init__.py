"""Findings about a dataset before a process starts."""
