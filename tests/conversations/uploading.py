"""Uploads files to the API, into a storage that a test has for itself."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from chatcore.accounts.principals import Principal
from tests.factories import make_model, make_principal

__all__ = ["UPLOADS", "files_in", "owner", "storage", "upload"]

UPLOADS = "/api/v1/attachments/"


@pytest.fixture(autouse=True)
def storage(settings: Any, tmp_path: Path) -> Path:
    own = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = settings.STORAGES | {"default": own}
    return tmp_path


@pytest.fixture
def owner() -> Principal:
    make_model("plain")
    return make_principal()


def upload(http: Client, name: str, content: bytes, media_type: str = "application/octet-stream") -> Any:
    return http.post(UPLOADS, {"file": SimpleUploadedFile(name, content, media_type)})


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
