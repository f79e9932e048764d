"""Test helpers for this project and plugins."""
