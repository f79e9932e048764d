"""A node's line of text: the page reads it as HTML (frontend 1.27.10), as text, or in Nodes 2.0 as Markdown (1.49.6).

Nothing in it may become a tag, a link, a picture or a list there: it holds names and messages of other people's files.
"""

from __future__ import annotations

import re

JOINER, SPACE = "\u2060", "\u00a0"
"""An invisible letter, which ends what would be Markdown, and a space that neither of them drops."""
ALIKE = str.maketrans({"<": "\u2039", ">": "\u203a", "*": "\u2217", "`": "\u02cb", "~": "\u223c"})
"""Letters that would be markup anywhere."""

INDENT = re.compile(r"^[ \t]+", re.MULTILINE)
BLOCK = re.compile(r"^(?=[-+#=|:]|\d+[.)])", re.MULTILINE)
"""Where a heading, list, rule or table would begin."""
INLINE = re.compile(r"(?<=])(?=[\[(:])|(?<=\\)(?=[!-/:-@\[-`{-~])|(?<=&)(?=#?\w+;)|(?<![^\W_])(?=_)|(?<=_)(?![^\W_])")
"""Inside a link, after a backslash or an ampersand that would escape, at an underscore that is in no word."""


def plain(text: str) -> str:
    """``text`` as it stands, line by line, whatever the page takes it for."""
    text = INDENT.sub(lambda found: SPACE * len(found[0]), text.translate(ALIKE))
    return INLINE.sub(JOINER, BLOCK.sub(JOINER, text)).replace("\n", "  \n")
