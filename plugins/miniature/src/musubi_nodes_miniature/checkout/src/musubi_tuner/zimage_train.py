"""Practice stand-in for musubi-tuner's script of this name."""

from importlib import import_module

if __name__ == "__main__":
    import_module("musubi_tuner.miniature.scripts").run(__file__)
