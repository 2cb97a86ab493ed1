"""Rendering of message text: Markdown, code and maths to safe HTML, at once or block by block as it streams in."""

from conversations.rendering.blocks import render
from conversations.rendering.stream import BlockStream, Update

__all__ = ["BlockStream", "Update", "render"]
