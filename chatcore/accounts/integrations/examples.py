"""A command to try a key with, which does what its integration may do."""

from django.conf import settings

from chatcore.accounts.models import Integration
from chatcore.accounts.principals import Principal

_JSON = "-H 'Content-Type: application/json' -d"
_MESSAGE = f"""/api/v1/intake/messages \\\n  {_JSON} '{{"content": "First words", "respond": "none"}}'"""
_CONVERSATION = f"""/api/v1/conversations/ \\\n  {_JSON} '{{"title": "First words"}}'"""
# Constraints that an example cannot know its way around.
_BOUND = ("conversations", "threads", "metadata_schema")
# What is asked, and the grants that open it.
_TRIES = (
    (_MESSAGE, ("messages:write", "conversations:write")),
    (_CONVERSATION, ("conversations:write",)),
    ("/api/v1/conversations/", ("conversations:read",)),
    ("/api/v1/models/", ("models:read",)),
    ("/api/v1/events", ("events:read", "messages:read")),
    ("/api/v1/usage/summary/", ("usage:read",)),
)


def curl_example(integration: Integration, key: str) -> str:
    """A line for a shell, ready to be run; empty where there is none for what the integration may do."""
    principal = Principal(None, integration.workspace, integration, frozenset(integration.grants), "")
    bound = integration.acts_as_id is None or any(integration.constraints.get(name) for name in _BOUND)
    for path, grants in _TRIES:
        writes = path in (_MESSAGE, _CONVERSATION)
        if all(principal.may(grant) for grant in grants) and not (writes and bound):
            address, _, rest = path.partition(" ")
            command = f'curl {settings.PUBLIC_URL}{address} \\\n  -H "Authorization: Bearer {key}"'
            return f"{command} {rest}" if rest else command
    return ""
