"""A practice stand-in for musubi-tuner: see :mod:`musubi_tuner.miniature`."""
