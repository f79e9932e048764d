"""Parts of the Resource Monitor."""
