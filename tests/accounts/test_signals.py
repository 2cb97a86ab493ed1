from contextlib import contextmanager
from unittest.mock import ANY

import pytest
from django.db import transaction
from django.test import Client

from chatcore.accounts import keys
from chatcore.accounts.models import Membership
from chatcore.accounts.signals import access_changed
from tests.accounts.doors import AUTH, bearer, tokens_of
from tests.accounts.factories import PASSWORD, make_integration, make_member

pytestmark = pytest.mark.django_db


@contextmanager
def heard(callbacks):
    """The announcements of a block, as (user id, integration id), sent as after a commit."""
    announced = []

    def hear(sender, user_id, integration_id, **_):
        announced.append((user_id, integration_id))

    access_changed.connect(hear)
    try:
        with callbacks(execute=True):
            yield announced
    finally:
        access_changed.disconnect(hear)


def test_revoking_a_key_is_announced_of_its_integration(django_capture_on_commit_callbacks):
    integration = make_integration()
    key, _ = keys.mint(integration)
    with heard(django_capture_on_commit_callbacks) as announced:
        keys.revoke(key)
    assert announced == [(None, integration.pk)]


def test_disabling_or_deleting_an_integration_is_announced(django_capture_on_commit_callbacks):
    integration = make_integration()
    pk = integration.pk
    with heard(django_capture_on_commit_callbacks) as announced:
        integration.enabled = False
        integration.save()
    assert announced == [(None, pk)]
    with heard(django_capture_on_commit_callbacks) as announced:
        integration.delete()
    assert announced == [(None, pk)]


def test_a_membership_taken_or_changed_is_announced_of_its_user(django_capture_on_commit_callbacks):
    user = make_member()
    membership = user.memberships.get()
    with heard(django_capture_on_commit_callbacks) as announced:
        membership.role = "guest"
        membership.save()
        Membership.objects.filter(user=user).delete()
    assert announced == [(user.pk, None)] * 2


def test_a_new_password_and_a_switched_off_account_are_announced(django_capture_on_commit_callbacks):
    user = make_member()
    with heard(django_capture_on_commit_callbacks) as announced:
        user.set_password(PASSWORD)
        user.save()
        user.is_active = False
        user.save(update_fields=["is_active"])
    assert announced == [(user.pk, None)] * 2


def test_signing_in_is_not_announced_and_signing_out_is(client, django_capture_on_commit_callbacks):
    user = make_member(password=PASSWORD)
    with heard(django_capture_on_commit_callbacks) as announced:
        client.force_login(user)
    assert announced == []
    with heard(django_capture_on_commit_callbacks) as announced:
        client.logout()
    assert announced == [(user.pk, None)]
    token = tokens_of(user.email)["access_token"]
    with heard(django_capture_on_commit_callbacks) as announced:
        Client().delete(f"{AUTH}/auth/session", **bearer(token))
    assert (user.pk, None) in announced


@pytest.mark.django_db(transaction=True)
def test_nothing_is_announced_before_the_commit_nor_after_a_rollback(django_capture_on_commit_callbacks):
    key, _ = keys.mint(make_integration())
    announced = []

    def hear(sender, integration_id, **_):
        announced.append(integration_id)

    access_changed.connect(hear)
    try:
        with transaction.atomic():
            keys.revoke(key)
            assert announced == []
            transaction.set_rollback(True)
        assert announced == []
        key.revoked_at = None
        keys.revoke(key)
    finally:
        access_changed.disconnect(hear)
    assert announced == [ANY]
