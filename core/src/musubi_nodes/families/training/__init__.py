"""Trainer nodes."""
