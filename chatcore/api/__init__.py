"""The API's roof: its doors, one OpenAPI document of them, and the pages that show it."""

from chatcore.api.document import REFUSALS, document
from chatcore.api.doors import PREFIX, live, missing, resources
from chatcore.api.pages import asyncapi, docs, error_pages, openapi
from chatcore.api.signposts import signposts

__all__ = [
    "PREFIX",
    "REFUSALS",
    "asyncapi",
    "docs",
    "document",
    "error_pages",
    "live",
    "missing",
    "openapi",
    "resources",
    "signposts",
]
