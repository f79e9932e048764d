"""Plugins: the hooks, where plugins are found, and the one owner of every hook call."""
