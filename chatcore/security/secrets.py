"""The secrets of this installation: from the environment, else made once and kept in the data folder (0600)."""

import json
import os
import secrets as randomness
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.exceptions import ImproperlyConfigured

from chatcore import env

FILE_NAME = "secrets.json"


def load(folder: Path) -> dict[str, str]:
    """The four secrets by name; `folder` is only written when the environment does not name them all."""
    names = ("SECRET_KEY", "KEY_PEPPER", "CREDENTIAL_KEY", "JWT_PRIVATE_KEY")
    given = {name: env.text(name) for name in names}
    if all(given.values()):
        return given
    kept = _kept(folder)
    return {name: given[name] or kept[name] for name in names}


def _kept(folder: Path) -> dict[str, str]:
    path = folder / FILE_NAME
    try:
        if not path.exists():
            _create(path)
        values: dict[str, str] = json.loads(path.read_text())
    except OSError as error:
        raise ImproperlyConfigured(
            f"the data folder {folder} cannot be used ({error.strerror}). "
            "Make it writable or set CHATCORE_DATA to another folder."
        ) from None
    except ValueError:
        raise ImproperlyConfigured(f"{path} is not readable as JSON. Restore it from your backup.") from None
    return values


def _create(path: Path) -> None:
    """Write beside and link into place: of two processes that start at once, one wins and both read the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    values = {
        "SECRET_KEY": randomness.token_urlsafe(48),
        "KEY_PEPPER": randomness.token_hex(32),
        "CREDENTIAL_KEY": randomness.token_hex(32),
        "JWT_PRIVATE_KEY": pem.decode(),
    }
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(values, file, indent=1)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
