"""Help pages of installed plugins, rendered on request."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from musubi_nodes.plugins.discovery import checkout

if TYPE_CHECKING:
    from aiohttp import web


def add_help(routes: web.RouteTableDef, pack: str) -> None:
    """Add the routes that the help pane requests.

    The folder's name is literal, because aiohttp 3.14 would otherwise prefer ComfyUI's static route.
    """
    from aiohttp import web

    root = checkout()
    there = "|".join(re.escape(file.stem) for file in root.glob("web/docs/*.md")) if root else ""
    where = f"/extensions/{quote(pack)}/docs/{{id:(?!(?:{there})[./])[A-Za-z0-9._-]+}}"

    @routes.get(where + ".md")
    @routes.get(where + "/{language}.md")
    async def page(request: web.Request) -> web.Response:
        asked = request.match_info
        text = await asyncio.to_thread(made_page, asked["id"], asked.get("language", "en"))
        if text is None:
            raise web.HTTPNotFound
        return web.Response(text=text, content_type="text/markdown")


def made_page(id: str, language: str) -> str | None:
    """Render a node's page; ``None`` if node or translation is missing."""
    from musubi_nodes.hosts.help import help_page
    from musubi_nodes.hosts.texts import ENGLISH, LANGUAGES, Texts, package_of, translations
    from musubi_nodes.plugins.manager import plugins

    nodes = {node.id: node for node in plugins().nodes}
    if id not in nodes or language not in LANGUAGES:
        return None
    if language != ENGLISH and not translations(package_of(nodes[id]), language):
        return None
    return help_page(nodes[id], Texts(language, nodes.values()))
