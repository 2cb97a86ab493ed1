import string
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from chatcore.accounts import keys
from chatcore.accounts.models import Key, Membership
from tests.accounts.factories import make_integration, make_member
from tests.accounts.parallel import in_parallel

pytestmark = pytest.mark.django_db


def test_a_minted_key_is_found_by_its_text_alone():
    key, text = keys.mint(make_integration())
    assert text.startswith(f"cc_live_{key.public_id}_")
    assert len(text) == len("cc_live_") + 12 + 1 + 32 + 1 + 6
    assert keys.find(text) == key


def test_the_text_is_nowhere_in_the_database():
    key, text = keys.mint(make_integration())
    secret = text.split("_")[3]
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(k)::text FROM accounts_key k WHERE id = %s", [key.pk])
        stored = cursor.fetchone()[0]
    assert key.public_id in stored
    assert secret not in stored


def test_every_typo_is_refused_without_a_query(django_assert_num_queries):
    _, text = keys.mint(make_integration())
    alphabet = string.ascii_letters + string.digits
    typos = [
        text[:place] + alphabet[(alphabet.index(text[place]) + 7) % 62] + text[place + 1 :]
        for place in range(len("cc_live_"), len(text))
        if text[place] != "_"
    ]
    with django_assert_num_queries(0):
        assert [typo for typo in typos if keys.find(typo)] == []
    assert len(typos) == 50


@pytest.mark.parametrize(
    "text", ["", "cc_live_", "cc_live_a_b_c", "x" * 10_000, "cc_live_\x00", "cc_live_äöü"]
)
def test_what_is_no_key_is_refused_without_a_query(text, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert keys.find(text) is None


def test_the_right_id_with_another_secret_is_refused():
    key, _ = keys.mint(make_integration())
    body = f"cc_live_{key.public_id}_{'0' * 32}"
    forged = f"{body}_{keys._checksum(body)}"
    assert keys.parse(forged) is not None
    assert keys.find(forged) is None


def test_a_revoked_key_is_refused():
    key, text = keys.mint(make_integration())
    keys.revoke(key)
    first = key.revoked_at
    keys.revoke(key)
    assert keys.find(text) is None
    assert key.revoked_at == first


def test_an_expired_key_is_refused():
    _, text = keys.mint(make_integration(), timezone.now() - timedelta(seconds=1))
    _, later = keys.mint(make_integration(), timezone.now() + timedelta(hours=1))
    assert keys.find(text) is None
    assert keys.find(later)


def test_the_keys_of_a_disabled_integration_are_refused():
    integration = make_integration()
    _, text = keys.mint(integration)
    integration.enabled = False
    integration.save()
    assert keys.find(text) is None


def test_a_key_ends_with_its_user_s_account_or_membership():
    leaver, sleeper = make_member(), make_member()
    texts = [keys.mint(make_integration(acts_as=user))[1] for user in (leaver, sleeper)]
    assert all(keys.find(text) for text in texts)
    Membership.objects.filter(user=leaver).delete()
    sleeper.is_active = False
    sleeper.save()
    assert [keys.find(text) for text in texts] == [None, None]


def test_a_found_key_knows_its_user_s_role():
    _, text = keys.mint(make_integration(acts_as=make_member(role="guest")))
    _, of_nobody = keys.mint(make_integration())
    assert (keys.find(text).role, keys.find(of_nobody).role) == ("guest", "")


def test_a_rotated_key_lives_on_for_the_overlap_only():
    integration = make_integration()
    first, first_text = keys.mint(integration)
    second, second_text = keys.rotate(integration)
    first.refresh_from_db()
    assert first.expires_at is not None
    assert timedelta(hours=23) < first.expires_at - timezone.now() <= keys.OVERLAP
    assert keys.find(first_text) == first
    assert keys.find(second_text) == second


def test_rotating_twice_ends_the_oldest_at_once():
    integration = make_integration()
    _, oldest = keys.mint(integration)
    keys.rotate(integration)
    keys.rotate(integration)
    assert keys.find(oldest) is None
    assert integration.keys.live().count() == keys.LIVE_KEYS


def test_rotating_does_not_lengthen_a_key_s_life():
    integration = make_integration()
    soon = timezone.now() + timedelta(minutes=5)
    key, _ = keys.mint(integration, soon)
    keys.rotate(integration)
    key.refresh_from_db()
    assert key.expires_at == soon


def test_an_integration_has_two_live_keys_at_most():
    integration = make_integration()
    first, _ = keys.mint(integration)
    keys.mint(integration)
    with pytest.raises(keys.TooManyKeys):
        keys.mint(integration)
    keys.revoke(first)
    keys.mint(integration)


@pytest.mark.django_db(transaction=True)
def test_two_hands_minting_at_once_still_leave_two_keys():
    integration = make_integration()
    keys.mint(integration)

    def mint():
        try:
            return keys.mint(integration)
        except keys.TooManyKeys:
            return None

    assert sum(made is not None for made in in_parallel(4, mint)) == 1
    assert integration.keys.live().count() == 2


def test_a_new_pepper_leaves_old_keys_valid_until_the_old_one_is_dropped(settings):
    settings.KEY_PEPPERS = {1: "11" * 32}
    integration = make_integration()
    _, old = keys.mint(integration)
    settings.KEY_PEPPERS = {1: "11" * 32, 2: "22" * 32}
    new_key, new = keys.mint(integration)
    assert new_key.pepper == 2
    assert keys.find(old)
    assert keys.find(new)
    settings.KEY_PEPPERS = {2: "22" * 32}
    assert keys.find(old) is None
    assert keys.find(new)


def test_the_time_of_use_is_written_once_a_minute(django_assert_num_queries):
    key, text = keys.mint(make_integration())
    keys.note_use(key)
    first = Key.objects.get(pk=key.pk).last_used_at
    assert first is not None
    keys.note_use(key)  # this copy has not seen the write: the database decides
    assert Key.objects.get(pk=key.pk).last_used_at == first
    with django_assert_num_queries(0):
        keys.note_use(Key(pk=key.pk, last_used_at=first))
    Key.objects.filter(pk=key.pk).update(last_used_at=timezone.now() - timedelta(seconds=61))
    keys.note_use(keys.find(text))
    assert Key.objects.get(pk=key.pk).last_used_at > first
