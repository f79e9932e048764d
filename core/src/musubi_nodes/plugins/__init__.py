"""Plugin discovery, hooks and registrations."""
