import base64

import pytest
from django.core.exceptions import FieldError
from django.core.serializers import serialize
from django.db import connection
from pytest_django import Settings

from chatcore.llm.models import Provider
from chatcore.security.fields import Unreadable, decrypted, encrypted

SECRET = "sk-Grüße-🙂-secret"
PLACE = "some_table.some_column"
OLD, NEW = "11" * 32, "22" * 32


def test_what_was_encrypted_decrypts() -> None:
    sealed = encrypted(SECRET, PLACE)
    assert sealed.startswith("v1:")
    assert decrypted(sealed, PLACE) == SECRET


def test_the_same_secret_never_looks_the_same() -> None:
    assert encrypted(SECRET, PLACE) != encrypted(SECRET, PLACE)


def test_the_newest_key_encrypts_and_the_old_ones_still_decrypt(settings: Settings) -> None:
    settings.CREDENTIAL_KEYS = {1: OLD}
    old = encrypted(SECRET, PLACE)
    settings.CREDENTIAL_KEYS = {1: OLD, 2: NEW}
    assert encrypted(SECRET, PLACE).startswith("v2:")
    assert decrypted(old, PLACE) == SECRET


def test_a_secret_moved_to_another_place_does_not_decrypt() -> None:
    with pytest.raises(Unreadable, match="another_table"):
        decrypted(encrypted(SECRET, PLACE), "another_table.some_column")


@pytest.mark.parametrize(
    "stored", ["", "v1:", "v1:AAAA", "v9:AAAA", "plain text", "vx:AAAA", "v1:not base64!", "v-1:AAAA"]
)
def test_what_we_did_not_encrypt_is_unreadable(stored: str) -> None:
    with pytest.raises(Unreadable):
        decrypted(stored, PLACE)


def test_one_changed_bit_is_noticed() -> None:
    version, _, encoded = encrypted(SECRET, PLACE).partition(":")
    raw = bytearray(base64.b64decode(encoded))
    raw[len(raw) // 2] ^= 1
    with pytest.raises(Unreadable):
        decrypted(f"{version}:{base64.b64encode(raw).decode()}", PLACE)


def test_a_lost_key_is_named_and_the_secret_is_not(settings: Settings) -> None:
    settings.CREDENTIAL_KEYS = {1: OLD}
    sealed = encrypted(SECRET, PLACE)
    settings.CREDENTIAL_KEYS = {1: NEW}
    with pytest.raises(Unreadable) as caught:
        decrypted(sealed, PLACE)
    assert "CREDENTIAL_KEY" in caught.value.title
    assert sealed not in str(caught.value)


def stored_credential(provider: Provider) -> str:
    with connection.cursor() as cursor:
        cursor.execute("select credential from llm_provider where id = %s", [provider.pk])
        (value,) = cursor.fetchone()
    return str(value)


@pytest.mark.django_db
def test_the_database_holds_no_plain_text() -> None:
    provider = Provider.objects.create(kind="demo", name="One", credential=SECRET)
    stored = stored_credential(provider)
    assert SECRET not in stored
    assert decrypted(stored, "llm_provider.credential") == SECRET
    assert Provider.objects.get(pk=provider.pk).credential == SECRET


@pytest.mark.django_db
def test_no_secret_is_no_ciphertext() -> None:
    provider = Provider.objects.create(kind="demo", name="One")
    assert stored_credential(provider) == ""
    assert Provider.objects.get(pk=provider.pk).credential == ""


@pytest.mark.django_db
def test_an_update_encrypts_too() -> None:
    provider = Provider.objects.create(kind="demo", name="One", credential="first")
    Provider.objects.filter(pk=provider.pk).update(credential=SECRET)
    assert SECRET not in stored_credential(provider)
    assert Provider.objects.get(pk=provider.pk).credential == SECRET


@pytest.mark.django_db
def test_nobody_can_search_by_a_secret() -> None:
    with pytest.raises(FieldError, match="encrypted"):
        Provider.objects.filter(credential="x").exists()
    assert not Provider.objects.filter(credential__isnull=True).exists()


@pytest.mark.django_db
def test_a_secret_is_in_no_repr_and_no_fixture() -> None:
    provider = Provider.objects.create(kind="demo", name="One", credential=SECRET)
    fixture = serialize("json", [provider], ensure_ascii=False)
    assert "One" in fixture
    for text in (fixture, repr(provider), str(provider), repr(provider.settings())):
        assert "secret" not in text


@pytest.mark.django_db
def test_a_row_can_be_read_without_its_secret_when_the_key_is_lost(settings: Settings) -> None:
    provider = Provider.objects.create(kind="demo", name="One", credential=SECRET)
    settings.CREDENTIAL_KEYS = {1: NEW}
    found = Provider.objects.get(pk=provider.pk)
    assert found.name == "One"
    with pytest.raises(Unreadable, match=r"llm_provider\.credential"):
        _ = found.credential
