"""Recognition of weights files by their headers."""
