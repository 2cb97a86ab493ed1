"""A command to try a key with, which does what its integration may do."""

from django.conf import settings

from chatcore.accounts.models import Integration
from chatcore.accounts.principals import Principal

_JSON = "-H 'Content-Type: application/json' -d"
# The grant that opens it, and what is asked then.
_TRIES = (
    ("conversations:write", f"""/api/v1/conversations/ \\\n  {_JSON} '{{"title": "First words"}}'"""),
    ("conversations:read", "/api/v1/conversations/"),
    ("models:read", "/api/v1/models/"),
    ("usage:read", "/api/v1/usage/summary/"),
)


def curl_example(integration: Integration, key: str) -> str:
    """A line for a shell, ready to be run."""
    principal = Principal(None, integration.workspace, integration, frozenset(integration.grants), "")
    wished = [try_it for grant, try_it in _TRIES if principal.may(grant)]
    if integration.acts_as_id is None:  # who acts for nobody owns nothing
        wished = [try_it for try_it in wished if try_it is not _TRIES[0][1]]
    path = wished[0] if wished else "/api/v1/models/"
    address, _, rest = path.partition(" ")
    command = f'curl {settings.PUBLIC_URL}{address} \\\n  -H "Authorization: Bearer {key}"'
    return f"{command} {rest}" if rest else command
