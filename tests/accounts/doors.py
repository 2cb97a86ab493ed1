"""Requests as a browser or an API client sends them, for the tests of the doors."""

import json
from typing import Any

from django.test import Client

from tests.accounts.factories import PASSWORD

AUTH = "/api/v1/auth/app/v1"
DOORS = ("/api/v1/drf/", "/api/v1/ninja")


def post_json(client: Client, path: str, body: dict[str, Any] | None = None, **options: Any) -> Any:
    return client.post(path, json.dumps(body or {}), content_type="application/json", **options)


def sign_in(client: Client, email: str, password: str = PASSWORD) -> Any:
    """An API client's sign-in; its answer's `meta` holds the tokens."""
    return post_json(client, f"{AUTH}/auth/login", {"email": email, "password": password})


def tokens_of(email: str, password: str = PASSWORD) -> dict[str, str]:
    answer = sign_in(Client(), email, password)
    assert answer.status_code == 200, answer.content
    meta: dict[str, str] = answer.json()["meta"]
    return meta


def bearer(token: str) -> dict[str, dict[str, str]]:
    return {"headers": {"Authorization": f"Bearer {token}"}}


def opens(token: str) -> bool:
    """Whether the token is good at both halves of the API, which must agree."""
    statuses = {Client().get(door, **bearer(token)).status_code for door in DOORS}
    assert statuses in ({200}, {401}), statuses
    return statuses == {200}
