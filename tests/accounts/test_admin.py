import re

import pytest
from django.contrib import admin
from django.urls import reverse

from chatcore.accounts import keys
from chatcore.accounts.models import Integration, Key, Membership, User, Workspace
from tests.accounts.factories import PASSWORD, make_integration, make_member

pytestmark = pytest.mark.django_db
TABLES = [User, Workspace, Membership, Integration, Key]


@pytest.fixture
def staff(client):
    """A browser in which a superuser is signed in."""
    client.force_login(make_member(email="staff@example.com", is_staff=True, is_superuser=True))
    return client


def address(model: type, page: str, *arguments: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


@pytest.mark.parametrize("model", TABLES)
@pytest.mark.parametrize("search", ["", "a", "0190a7c2-0000-7000-8000-000000000000"])
def test_every_table_is_listed_and_searched_without_counting_it_all(staff, model, search):
    keys.mint(make_integration(acts_as=make_member()))
    assert staff.get(address(model, "changelist"), {"q": search}).status_code == 200
    assert admin.site._registry[model].show_full_result_count is False


@pytest.mark.parametrize("model", TABLES)
def test_every_row_opens_and_none_shows_a_digest(staff, model):
    key, _ = keys.mint(make_integration(acts_as=make_member()))
    for row in model.objects.all():
        page = staff.get(address(model, "change", row.pk))
        assert page.status_code == 200
        assert key.digest not in page.content.decode()


def test_a_person_is_added_with_a_password(staff):
    form = {
        "email": "Ada@Example.com",
        "name": "Ada",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
        "memberships-TOTAL_FORMS": "0",
        "memberships-INITIAL_FORMS": "0",
    }
    answer = staff.post(address(User, "add"), form)
    assert answer.status_code == 302, answer.context["errors"]
    assert User.objects.get(email="ada@example.com").check_password(PASSWORD)


def test_a_password_is_changed(staff):
    user = make_member()
    form = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    path = reverse("admin:auth_user_password_change", args=[user.pk])
    assert staff.get(path).status_code == 200
    assert staff.post(path, form).status_code == 302
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_a_key_is_made_and_shown_once(staff):
    integration = make_integration(acts_as=make_member())
    action = {"action": "mint_key", "_selected_action": str(integration.pk)}
    page = staff.post(address(Integration, "changelist"), action, follow=True).content.decode()
    text = re.search(r"cc_live_\w+", page)
    assert text is not None
    assert keys.find(text[0]).integration == integration
    assert text[0] not in staff.get(address(Integration, "changelist")).content.decode()


def test_a_third_key_is_refused_in_words(staff):
    integration = make_integration()
    keys.mint(integration)
    keys.mint(integration)
    action = {"action": "mint_key", "_selected_action": str(integration.pk)}
    page = staff.post(address(Integration, "changelist"), action, follow=True)
    assert "at most two live keys" in page.content.decode()
    assert integration.keys.count() == 2


def test_a_key_is_revoked(staff):
    key, text = keys.mint(make_integration())
    staff.post(address(Key, "changelist"), {"action": "revoke", "_selected_action": str(key.pk)})
    assert keys.find(text) is None


def test_a_key_is_not_added_by_a_form(staff):
    assert staff.get(address(Key, "add")).status_code == 403


def test_an_integration_can_start_from_a_role(staff):
    user = make_member()
    workspace = user.memberships.get().workspace
    form = {
        "workspace": str(workspace.pk),
        "name": "Alerts",
        "acts_as": str(user.pk),
        "enabled": "on",
        "grants": "models:use:gpt-*",
        "role": "reader",
    }
    assert staff.post(address(Integration, "add"), form).status_code == 302
    grants = Integration.objects.get().grants
    assert {"models:use:gpt-*", "messages:read"} <= set(grants)
    bad = staff.post(address(Integration, "add"), form | {"name": "Bad", "grants": "mess*:write"})
    assert "is not a grant" in str(bad.context["adminform"].form.errors)


def test_others_do_not_see_the_staff_pages(client):
    client.force_login(make_member(role="owner"))
    assert client.get(address(Key, "changelist")).status_code == 302


def test_an_integration_s_networks_and_constraints_are_edited_and_its_key_is_rotated(staff):
    integration = make_integration(constraints={"models": ["gpt-*"]})
    first, _ = keys.mint(integration)
    form = {
        "workspace": str(integration.workspace_id),
        "name": integration.name,
        "enabled": "on",
        "allowed_addresses": "192.0.2.0/24,198.51.100.7",
        "constraints": "",
        "keys-TOTAL_FORMS": "0",
        "keys-INITIAL_FORMS": "0",
    }
    page = address(Integration, "change", integration.pk)
    for wrong in ({"constraints": '{"model": ["a"]}'}, {"allowed_addresses": "10.0.0.1/8"}):
        assert staff.post(page, form | wrong).status_code == 200
    assert staff.post(page, form).status_code == 302
    integration.refresh_from_db()
    assert integration.allowed_addresses == ["192.0.2.0/24", "198.51.100.7"]
    assert integration.constraints == {}

    chosen = {"action": "rotate_key", "_selected_action": str(integration.pk)}
    shown = staff.post(address(Integration, "changelist"), chosen, follow=True).content.decode()
    assert keys.find(re.search(r"cc_live_\w+", shown)[0])
    first.refresh_from_db()
    assert first.expires_at is not None
