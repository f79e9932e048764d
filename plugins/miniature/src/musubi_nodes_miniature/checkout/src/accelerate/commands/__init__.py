"""The command line of the stand-in."""
