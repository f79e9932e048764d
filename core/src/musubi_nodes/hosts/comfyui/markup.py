"""Escaping of a node's text line.

The page renders it as HTML (frontend 1.27.10), text, or Markdown (Nodes 2.0, 1.49.6). Names from other people's
files must not become tags, links or pictures.
"""

from __future__ import annotations

import re

JOINER, SPACE = "\u2060", "\u00a0"
"""A zero-width letter that breaks up markup; a space no renderer drops."""
ALIKE = str.maketrans({"<": "\u2039", ">": "\u203a", "*": "\u2217", "`": "\u02cb", "~": "\u223c"})
"""Look-alikes of letters that are markup anywhere."""

INDENT = re.compile(r"^[ \t]+", re.MULTILINE)
BLOCK = re.compile(r"^(?=[-+#=|:]|\d+[.)])", re.MULTILINE)
"""Starts of headings, lists, rules and tables."""
INLINE = re.compile(r"(?<=])(?=[\[(:])|(?<=\\)(?=[!-/:-@\[-`{-~])|(?<=&)(?=#?\w+;)|(?<![^\W_])(?=_)|(?<=_)(?![^\W_])")
"""Links, escapes, and underscores outside words."""


def plain(text: str) -> str:
    """Return ``text`` so that every renderer shows it literally."""
    text = INDENT.sub(lambda found: SPACE * len(found[0]), text.translate(ALIKE))
    return INLINE.sub(JOINER, BLOCK.sub(JOINER, text)).replace("\n", "  \n")
