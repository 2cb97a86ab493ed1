"""Model fields whose text is encrypted at rest: AES-GCM (NIST SP 800-38D) under the newest of CREDENTIAL_KEYS.

What is stored is `v<key version>:<base64 of a 12-byte nonce and the ciphertext with its tag>`. The table's and the
column's name are authenticated along with it, so that a value copied into another column does not decrypt.
"""

import base64
import binascii
import os
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import FieldError
from django.db import models
from django.forms import Field, PasswordInput

from chatcore.errors import ChatcoreError

NONCE_SIZE = 12

if TYPE_CHECKING:
    TextField = models.TextField[str, str]
else:
    TextField = models.TextField


class Unreadable(ChatcoreError):
    """A stored credential cannot be decrypted. Restore the CREDENTIAL_KEY it was stored with, or enter it anew."""

    status, code = 500, "credential_unreadable"
    remedy = "Whoever runs this server restores CREDENTIAL_KEY, or enters the credential anew."


def encrypted(text: str, place: str) -> str:
    """`text` sealed for `place`, with the newest key."""
    version = max(settings.CREDENTIAL_KEYS)
    nonce = os.urandom(NONCE_SIZE)
    sealed = _cipher(version).encrypt(nonce, text.encode(), place.encode())
    return f"v{version}:{base64.b64encode(nonce + sealed).decode()}"


def decrypted(stored: str, place: str) -> str:
    """The text that `encrypted` was given for the same place. Raises Unreadable."""
    version, _, encoded = stored.partition(":")
    try:
        sealed = base64.b64decode(encoded, validate=True)
        cipher = _cipher(int(version.removeprefix("v")))
        return cipher.decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], place.encode()).decode()
    except (InvalidTag, KeyError, ValueError, binascii.Error):
        raise Unreadable(f"The value in {place} does not decrypt ({version[:8]}).") from None


def _cipher(version: int) -> AESGCM:
    return AESGCM(bytes.fromhex(settings.CREDENTIAL_KEYS[version]))


class EncryptedTextField(TextField):
    """Plain text in Python, sealed in the database. "" is stored as it is: there is no secret.

    It cannot be searched by, its form field never shows it, and fixtures leave it out. Reading a row raises
    Unreadable when its key is gone; `defer` the field where a row must be read nevertheless.
    """

    @property
    def place(self) -> str:
        return f"{self.model._meta.db_table}.{self.column}"

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return encrypted(text, self.place) if text else text

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        return decrypted(value, self.place) if value else value

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name != "isnull":
            raise FieldError(f"{self.place} is encrypted: it cannot be searched by {lookup_name!r}.")
        return super().get_lookup(lookup_name)

    def value_to_string(self, obj: models.Model) -> str:  # noqa: ARG002
        return ""

    def formfield(self, **kwargs: Any) -> Field | None:
        return super().formfield(**{**kwargs, "widget": PasswordInput(render_value=False)})
