"""Looking after ways in besides keys: who may, what is refused, what is never shown; and a class of one's own."""

import hashlib
import hmac
import json
import re
import time
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from external.authenticators import kinds
from external.models import Authenticator, KeySet
from tests.accounts.factories import make_member
from tests.api import key_client, make_client, problem_of, send, session_client
from tests.external.identity_provider import (
    AUDIENCE,
    ISSUER,
    ec_key,
    published,
)
from tests.external.proving import (
    DRF,
    OTHER_SECRET,
    SECRET,
    ask,
    make_authenticator,
    make_integration,
    probed,
)
from tests.factories import make_principal

ROOT = Path(__file__).parents[2]
AUTHENTICATORS = "/api/v1/authenticators/"
pytestmark = pytest.mark.django_db


def test_a_secret_goes_in_and_never_comes_out() -> None:
    owner = make_principal()
    client = session_client(owner)
    integration = make_integration(owner.workspace, acts_as=owner.user)
    body = {"integration": str(integration.pk), "name": "Signed", "kind": "signature", "secret": SECRET}
    made = send(client, "POST", AUTHENTICATORS, body)
    assert (made.status_code, made.json()["has_secret"]) == (201, True)
    address = made["Location"]
    changed = send(client, "PATCH", address, {"secret": OTHER_SECRET})
    for answer in (made, changed, client.get(address), client.get(AUTHENTICATORS)):
        assert b"whsec_" not in answer.content
    authenticator = Authenticator.objects.get()
    assert authenticator.secret == OTHER_SECRET
    problem_of(send(client, "POST", AUTHENTICATORS, body), 409)
    assert client.get(AUTHENTICATORS, {"integration": str(uuid.uuid4())}).json()["results"] == []


GOOD = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": "https://id.example.com/keys"}


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"kind": "other"}, "/kind"),
        ({"kind": "signature"}, "/secret"),
        ({"kind": "signature", "secret": "whsec_c2hvcnQ="}, "/secret"),
        ({"kind": "signature", "secret": SECRET.removeprefix("whsec_")}, "/secret"),
        ({"kind": "jwt"}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"algorithms": ["HS256"]}}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"algorithms": ["none"]}}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"algorithms": [[]]}}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"algorithms": []}}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"jwks_url": "https://169.254.169.254/keys"}}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"jwks_url": "file:///keys"}}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"once": "yes"}}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"user": "admin"}}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"user": "identity"}}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"user": "identity", "channel": "?"}}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"user": []}}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"audiences": "x"}}, "/options"),
        ({"kind": "jwt", "options": GOOD, "integration": str(uuid.uuid4())}, "/integration"),
        ({"kind": "jwt", "options": GOOD, "name": "\x00"}, "/name"),
    ],
)
def test_what_cannot_be_used_is_refused_where_it_is_wrong(fields: dict[str, Any], pointer: str) -> None:
    owner = make_principal()
    integration = make_integration(owner.workspace)
    body = {"integration": str(integration.pk), "name": "New"} | fields
    problem = problem_of(send(session_client(owner), "POST", AUTHENTICATORS, body), 422)
    assert problem["errors"][0]["pointer"] == pointer
    assert not Authenticator.objects.exists()


def test_an_integration_of_another_workspace_is_not_there() -> None:
    owner, other = make_principal(), make_authenticator()
    body = {"integration": str(other.integration_id), "name": "New", "kind": "signature", "secret": SECRET}
    problem_of(send(session_client(owner), "POST", AUTHENTICATORS, body), 422)
    problem_of(session_client(owner).get(f"{AUTHENTICATORS}{other.pk}/"), 404)


def test_nobody_makes_a_way_in_to_more_than_they_may_themselves() -> None:
    owner = make_principal()
    weak = key_client(owner, "integrations:manage", "messages:write")
    for grants, status in ((("messages:write",), 201), (("messages:read",), 403), (("*:*",), 403)):
        integration = make_integration(owner.workspace, grants=grants)
        body = {"integration": str(integration.pk), "name": "New", "kind": "signature", "secret": SECRET}
        assert send(weak, "POST", AUTHENTICATORS, body).status_code == status
    strong = make_authenticator(integration=make_integration(owner.workspace, acts_as=owner.user))
    problem_of(send(weak, "PATCH", f"{AUTHENTICATORS}{strong.pk}/", {"secret": OTHER_SECRET}), 403)


def test_an_integration_has_at_most_ten() -> None:
    owner = make_principal()
    integration = make_integration(owner.workspace)
    for _ in range(10):
        make_authenticator(integration=integration)
    body = {"integration": str(integration.pk), "name": "New", "kind": "signature", "secret": SECRET}
    problem = problem_of(send(session_client(owner), "POST", AUTHENTICATORS, body), 409)
    assert problem["code"] == "too_many_authenticators"


def test_keys_fetched_for_other_options_are_forgotten(settings: Settings) -> None:
    owner = make_principal()
    integration = make_integration(owner.workspace)
    authenticator = make_authenticator("jwt", integration=integration, options=GOOD)
    KeySet.objects.create(authenticator=authenticator, keys=[published(ec_key(), "first")])
    address = f"{AUTHENTICATORS}{authenticator.pk}/"
    assert send(session_client(owner), "PATCH", address, {"name": "Other"}).status_code == 200
    assert KeySet.objects.exists()
    moved = GOOD | {"jwks_url": "https://id.example.net/keys"}
    assert send(session_client(owner), "PATCH", address, {"options": moved}).status_code == 200
    assert not KeySet.objects.exists()


def test_staff_make_and_change_them_without_seeing_a_secret(admin_client: Client) -> None:
    integration = make_integration()
    page = "/admin/external/authenticator/"
    fields = {"integration": str(integration.pk), "name": "Signed", "kind": "signature", "options": "{}"}
    refused = admin_client.post(f"{page}add/", fields)
    assert "its secret must be whsec_" in refused.content.decode()
    assert (
        admin_client.post(f"{page}add/", fields | {"new_secret": SECRET, "enabled": "on"}).status_code == 302
    )
    made = Authenticator.objects.get()
    assert (made.secret, made.enabled) == (SECRET, True)
    change = admin_client.get(f"{page}{made.pk}/change/")
    assert change.status_code == 200
    assert SECRET not in change.content.decode()
    assert admin_client.post(f"{page}{made.pk}/change/", fields).status_code == 302
    made.refresh_from_db()
    assert (made.secret, made.enabled) == (SECRET, False)
    assert admin_client.get(page, {"q": "Signed"}).status_code == 200


# --- A class of one's own -------------------------------------------------------------------------------------------


@pytest.fixture
def ticket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example as an installer would leave it: its folder on the path, and what pyproject.toml says beside it."""
    example = ROOT / "examples" / "authenticator"
    project = tomllib.loads((example / "pyproject.toml").read_text())["project"]
    info = tmp_path / "chatcore_ticket_authenticator-1.0.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1.0.0\n")
    points = project["entry-points"][kinds.ENTRY_POINTS]
    lines = [f"{name} = {place}" for name, place in points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{kinds.ENTRY_POINTS}]", *lines, ""]))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(example))
    kinds._installed.cache_clear()
    yield
    kinds._installed.cache_clear()


@probed
@pytest.mark.usefixtures("ticket")
def test_a_class_of_an_installed_package_is_a_kind() -> None:
    secret = "a secret of at least thirty-two characters"
    authenticator = make_authenticator("ticket", secret=secret)
    member = make_member(authenticator.integration.workspace)
    text = f"{member.email} {int(time.time()) + 60}"
    mark = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    assert ask(authenticator, x_ticket=f"{text} {mark}").json()["user"] == member.email
    problem_of(ask(authenticator, x_ticket=f"{text} {mark[::-1]}"), 401)
    problem_of(ask(authenticator), 401)


# --- The manual -----------------------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "authentication.md").read_text()


@probed
def test_the_manual_shows_how_to_sign_a_request() -> None:
    authenticator = make_authenticator()
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {"authenticator_id": str(authenticator.pk), "secret": SECRET}
    exec(code, names)
    answer = make_client().generic("POST", DRF, names["body"].encode(), headers=names["headers"])
    assert answer.status_code == 200, answer.content


def test_the_manual_names_every_option_and_its_bodies_are_taken() -> None:
    owner = make_principal()
    integration = make_integration(owner.workspace, acts_as=owner.user)
    for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL):
        body = json.loads(text) | {"integration": str(integration.pk)}
        if "secret" in body:
            body["secret"] = SECRET
        assert send(session_client(owner), "POST", AUTHENTICATORS, body).status_code == 201
    for kind in kinds.OURS.values():
        assert all(f"`{option}`" in PAGE for option in kind.OPTIONS)
    (entry_point,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert entry_point in (ROOT / "examples" / "authenticator" / "pyproject.toml").read_text()
