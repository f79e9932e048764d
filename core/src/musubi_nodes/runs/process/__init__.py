"""The process of a run: started under a guard, read, interrupted, ended with all its children."""
