"""Facts about media and caption files."""
