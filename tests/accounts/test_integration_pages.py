"""The pages of integrations as a browser gets them."""

import html
import json
import re
import shlex
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from chatcore.accounts import keys
from chatcore.accounts.models import Integration
from chatcore.accounts.principals import Principal
from chatcore.usage.models import Budget
from tests.conversations.pages.browsing import HTMX, signed_in, text
from tests.factories import make_key_principal, make_principal

pytestmark = pytest.mark.django_db
FORM = {"name": "Disk alerts", "role": "system", "acts_as": "me"}


@pytest.fixture(autouse=True)
def _own_addresses(settings: Any) -> None:
    """The whole site, not this folder's probes."""
    settings.ROOT_URLCONF = "chatcore.urls"


@pytest.fixture
def owner() -> Principal:
    return make_principal()


def integration_of(owner: Principal, *grants: str) -> Integration:
    found = make_key_principal(owner, *grants).integration
    assert found
    return found


def shown_key(page: str) -> str:
    (found,) = re.findall(r"data-key-text>([^<]+)</pre>", page)
    return str(found)


def shown_command(page: str) -> str:
    return "".join(html.unescape(found) for found in re.findall(r"data-curl>(.*?)</pre>", page, re.DOTALL))


def test_one_is_added_with_a_role_and_limits(owner: Principal) -> None:
    browser = signed_in(owner)
    talk = "0190A7C2-0000-7000-8000-00000000000A"
    limits = {
        "requests_per_minute": "60",
        "money_per_day": "2.5",
        "models": "gpt-*\no3",
        "grants": "events:read",
        "conversations": talk,
    }
    answer = browser.post(reverse("add_integration"), FORM | limits | {"allowed_addresses": "192.0.2.0/24"})
    made = Integration.objects.get()
    assert answer["Location"] == reverse("integration", args=[made.pk])
    assert {"messages:write", "events:read"} <= set(made.grants)
    assert made.allowed_addresses == ["192.0.2.0/24"]
    assert made.constraints == {
        "requests_per_minute": 60,
        "models": ["gpt-*", "o3"],
        "conversations": [talk.lower()],
    }
    assert str(Budget.objects.get(integration=made)) == "2.50 USD a day"

    page = text(browser.get(reverse("integration", args=[made.pk])))
    for words in ("Disk alerts", "messages:write", "192.0.2.0/24", "2.50 USD", "gpt-*", "No key yet"):
        assert words in page
    assert "No key" in text(browser.get(reverse("integrations")))
    assert "style=" not in page
    assert "<script>" not in page


def test_the_form_shows_what_is_and_keeps_it(owner: Principal) -> None:
    browser = signed_in(owner)
    browser.post(
        reverse("add_integration"), FORM | {"tokens_per_day": "5000", "metadata_schema": '{"type": "object"}'}
    )
    made = Integration.objects.get()
    address = reverse("edit_integration", args=[made.pk])
    page = html.unescape(text(browser.get(address)))
    assert 'value="5000"' in page
    assert '"type": "object"' in page
    assert "messages:write" in page
    kept = FORM | {"enabled": "", "grants": "\n".join(made.grants), "tokens_per_day": "5000"}
    assert browser.post(address, kept).status_code == 302
    made.refresh_from_db()
    assert (made.enabled, made.constraints) == (False, {})
    assert Budget.objects.get().limit == 5000


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "required"),
        ({"grants": "messages"}, "is not a grant"),
        ({"allowed_addresses": "10.0.0.1/8"}, "is not an address or a network"),
        ({"conversations": "db-3"}, "valid UUID"),
        ({"metadata_schema": "{"}, "not a JSON object"),
        ({"metadata_schema": '{"type": "nonsense"}'}, "metadata_schema"),
        ({"requests_per_minute": "0"}, "greater than or equal to 1"),
        ({"money_per_day": "-1"}, "more than nothing"),
    ],
)
def test_what_is_wrong_is_said_in_the_form(owner: Principal, fields: dict[str, str], words: str) -> None:
    answer = signed_in(owner).post(reverse("add_integration"), FORM | fields)
    assert answer.status_code == 422
    page = text(answer)
    assert words in page[page.index('role="alert"') :]
    assert not Integration.objects.exists()


def test_a_key_is_made_shown_once_with_a_command_rotated_and_revoked(owner: Principal) -> None:
    made = integration_of(owner, "conversations:read", "conversations:write")
    browser, address = signed_in(owner), reverse("make_key", args=[made.pk])

    part = text(browser.post(address, headers=HTMX))
    first = shown_key(part)
    assert part.lstrip().startswith("<section")
    assert keys.find(first)
    command = shown_command(part)
    assert command.startswith("curl http")
    assert f"Bearer {first}" in command
    assert first not in text(browser.get(reverse("integration", args=[made.pk])))

    second = shown_key(text(browser.post(address, {"rotate": "1"})))
    assert second != first
    page = text(browser.get(reverse("integration", args=[made.pk])))
    assert "ends in 23" in page
    newest = keys.find(second)
    assert newest
    page = text(browser.post(reverse("revoke_key", args=[made.pk, newest.pk]), headers=HTMX))
    assert "Revoked" in page
    assert keys.find(second) is None


@pytest.mark.parametrize(
    ("grants", "acts", "bound", "path"),
    [
        ("messages:write conversations:write", True, {}, "/api/v1/intake/messages"),
        ("conversations:write", True, {}, "/api/v1/conversations/"),
        ("messages:write conversations:write models:read", True, {"threads": ["db-*"]}, "/api/v1/models/"),
        ("*:*", False, {}, "/api/v1/conversations/"),
        ("events:read messages:read", False, {}, "/api/v1/events"),
        ("webhooks:manage", True, {}, ""),
    ],
)
def test_the_command_shown_with_a_key_is_one_that_it_may_run(
    owner: Principal, grants: str, acts: bool, bound: dict[str, Any], path: str
) -> None:
    made = integration_of(owner, *grants.split())
    acting = made.acts_as if acts else None
    Integration.objects.filter(pk=made.pk).update(acts_as=acting, constraints=bound)
    page = text(signed_in(owner).post(reverse("make_key", args=[made.pk]), headers=HTMX))
    command = shlex.split(shown_command(page))
    assert bool(command) == bool(path)
    if not command:
        return
    assert command[1].endswith(path)
    headers = {"Authorization": f"Bearer {shown_key(page)}"}
    body = json.loads(command[command.index("-d") + 1]) if "-d" in command else None
    answer = (
        Client().get(path, headers=headers)
        if body is None
        else Client().post(path, body, content_type="application/json", headers=headers)
    )
    assert answer.status_code < 300, answer.content


def test_a_refused_key_is_said_in_the_page(owner: Principal) -> None:
    made = integration_of(owner, "models:read")
    browser, address = signed_in(owner), reverse("make_key", args=[made.pk])
    for _ in range(keys.LIVE_KEYS):
        browser.post(address, headers=HTMX)
    assert "at most two live keys" in text(browser.post(address, headers=HTMX))
    other = signed_in(make_principal(workspace=owner.workspace, role="admin"))
    page = text(other.post(address, {"rotate": "1"}, headers=HTMX))
    assert "acts for somebody else" in page
    assert "data-key-text" not in page


def test_members_and_strangers_see_none_of_it(owner: Principal) -> None:
    made = integration_of(owner, "*:*")
    key = keys.mint(made)[0]
    pages = {
        name: reverse(name, args=arguments)
        for name, arguments in {
            "integration": [made.pk],
            "edit_integration": [made.pk],
            "remove_integration": [made.pk],
            "make_key": [made.pk],
            "revoke_key": [made.pk, key.pk],
        }.items()
    }
    member = signed_in(make_principal(workspace=owner.workspace, role="member"))
    stranger = signed_in(make_principal())
    for page in pages.values():
        assert {client.post(page).status_code for client in (member, stranger)} <= {403, 404, 405}
        assert member.get(page).status_code in (403, 405)
        assert stranger.get(page).status_code in (404, 405)
        assert Client().post(page).status_code in (302, 405)
        assert Client().get(page).status_code in (302, 405)
    assert member.get(reverse("integrations")).status_code == 403
    assert made.name not in text(stranger.get(reverse("integrations")))
    key.refresh_from_db()
    assert key.is_live


def test_one_is_removed_with_its_keys(owner: Principal) -> None:
    made = integration_of(owner, "models:read")
    _, secret = keys.mint(made)
    answer = signed_in(owner).post(reverse("remove_integration", args=[made.pk]))
    assert answer["Location"] == reverse("integrations")
    assert keys.find(secret) is None
