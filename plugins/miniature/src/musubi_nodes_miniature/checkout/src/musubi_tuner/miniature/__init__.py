"""The mechanics behind the practice scripts: everything that they need besides numpy, Pillow and tqdm."""

NOTICE = "practice install: toy arithmetic, not the real models"
"""What every log and every file that the miniature makes says about itself."""

MADE_BY = "musubi-nodes miniature"
