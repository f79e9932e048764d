"""The Resource Monitor: what it gathers, how it shows it, and what follows from it."""
