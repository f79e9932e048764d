"""Model nodes: the files of a model, told from each other by their headers."""
