"""Posting messages from outside, as the tests of the intake do."""

from typing import Any

from django.test import Client

from chatcore.accounts.principals import Principal
from external.models import IntakePolicy
from tests.api import send
from tests.factories import make_key_principal

MESSAGES, BATCHES = "/api/v1/intake/messages", "/api/v1/intake/batches"


def post(client: Client, content: str = "Disk 93 % full", *, headers: Any = None, **fields: Any) -> Any:
    return send(client, "POST", MESSAGES, {"content": content} | fields, headers=headers or {})


def accepted(client: Client, *words: str, **fields: Any) -> dict[str, Any]:
    answer = post(client, *words, **fields)
    assert answer.status_code == 202, answer.content
    body: dict[str, Any] = answer.json()
    return body


def batch(client: Client, *items: Any, **fields: Any) -> Any:
    return send(client, "POST", BATCHES, {"items": list(items)} | fields)


def gateway(owner: Principal, *grants: str, **policy: Any) -> Principal:
    """An integration that acts for the owner, with its policy."""
    principal = make_key_principal(owner, *(grants or ("*:*",)))
    assert principal.integration
    if policy:
        IntakePolicy.objects.create(integration=principal.integration, **policy)
    return principal
