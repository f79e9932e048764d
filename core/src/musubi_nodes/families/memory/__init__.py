"""Memory plans: what a training or a generation needs, and what a card has room for."""
