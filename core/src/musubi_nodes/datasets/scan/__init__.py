"""Scans datasets as musubi-tuner does: items, clips, cache files."""
