"""What uploaded files are: their bytes say it, and nothing of them is kept that was not looked at."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from chatcore.accounts.principals import Principal
from conversations import attachments, pictures
from conversations.errors import FileRefused, FileTooLarge
from conversations.file_types import clean_name
from conversations.models import Attachment
from tests.api import key_client, send
from tests.conversations.files import HTML, SVG, animation, bomb, pdf, photo, picture
from tests.conversations.uploading import UPLOADS, files_in, owner, storage, upload
from tests.factories import (
    make_attachment,
)

__all__ = ["owner", "storage"]
pytestmark = pytest.mark.django_db


KINDS = [
    ("photo.jpg", photo(), "photo.jpg", "image/jpeg"),
    ("chart.png", picture(), "chart.png", "image/png"),
    ("wave.gif", animation(), "wave.gif", "image/gif"),
    ("small.webp", picture("WEBP"), "small.webp", "image/webp"),
    ("a picture called.pdf", picture(), "a picture called.pdf.png", "image/png"),
    ("report.pdf", pdf("Hello"), "report.pdf", "application/pdf"),
    ("letter", pdf("Hello"), "letter.pdf", "application/pdf"),
    ("README.md", b"# Read me", "README.md", "text/markdown"),
    ("rows.csv", b"a;b\n1;2\n", "rows.csv", "text/csv"),
    ("data.json", b'{"a": 1}', "data.json", "application/json"),
    ("broken.json", b'{"a": ', "broken.json", "text/plain"),
    ("script.py", "print('Grüß dich')".encode(), "script.py", "text/plain"),
    ("old.txt", "Grüße".encode("cp1252"), "old.txt", "text/plain"),
    ("wide.txt", "Grüße".encode("utf-16"), "wide.txt", "text/plain"),
    ("page.html", HTML, "page.html", "text/plain"),
    ("drawing.svg", SVG, "drawing.svg.txt", "text/plain"),
    ("program.exe", b"only words", "program.exe.txt", "text/plain"),
    ("photo.png", b"only words", "photo.png.txt", "text/plain"),
]


@pytest.mark.parametrize(
    ("name", "content", "kept_name", "media_type"), KINDS, ids=[kind[0] for kind in KINDS]
)
def test_what_a_file_is_its_bytes_say(
    owner: Principal, name: str, content: bytes, kept_name: str, media_type: str
) -> None:
    http = key_client(owner)
    answer = upload(http, name, content, "text/html")
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert (body["name"], body["media_type"], body["message"]) == (kept_name, media_type, None)
    assert http.get(answer["Location"]).json() == body

    served = http.get(f"{answer['Location']}content")
    assert served["Content-Type"] == media_type
    assert served["Content-Disposition"].startswith(
        "inline" if media_type.startswith("image/") else "attachment"
    )
    assert served["X-Content-Type-Options"] == "nosniff"
    assert served["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert len(served.content) == body["size"]


REFUSED = [
    ("empty.txt", b"", "empty"),
    ("archive.zip", b"PK\x03\x04\x14\x00\x00\x00", "type"),
    ("program", b"\x7fELF\x02\x01\x01\x00\x00", "type"),
    ("bomb.png", bomb(), "unreadable"),
    ("large.png", bomb(8_000, 6_000), "unreadable"),
    ("half.png", picture()[:60], "unreadable"),
    ("page.gif", b"GIF89a/*" + HTML, "unreadable"),
    ("page.pdf", b"%PDF-1.7\n" + HTML, "unreadable"),
]


@pytest.mark.parametrize(("name", "content", "code"), REFUSED, ids=[kind[0] for kind in REFUSED])
def test_what_is_neither_image_nor_document_is_refused_and_not_kept(
    owner: Principal, storage: Path, name: str, content: bytes, code: str
) -> None:
    answer = upload(key_client(owner), name, content, "image/png")
    assert (answer.status_code, answer.json()["code"]) == (422, "file_refused")
    assert [error["code"] for error in answer.json()["errors"]] == [code]
    assert files_in(storage) == []
    assert not Attachment.objects.exists()


def test_a_form_that_is_not_one_file_is_refused(owner: Principal) -> None:
    http = key_client(owner)
    two = {"file": SimpleUploadedFile("a.txt", b"a"), "more": "x"}
    assert http.post(UPLOADS, two).json()["errors"][0]["pointer"] == "/file"
    assert http.post(UPLOADS, {"file": "only words"}).status_code == 422
    assert send(http, "POST", UPLOADS, {"file": "x"}).status_code == 415
    torn = http.generic("POST", UPLOADS, b"--x\r\nnothing", content_type="multipart/form-data; boundary=x")
    assert torn.status_code in (400, 422)


def test_a_file_over_the_limit_is_refused(owner: Principal, settings: Any) -> None:
    settings.ATTACHMENT_MAX_BYTES = 10
    assert upload(key_client(owner), "ten.txt", b"0123456789").status_code == 201
    answer = upload(key_client(owner), "eleven.txt", b"0123456789A")
    assert (answer.status_code, answer.json()["code"]) == (413, "file_too_large")
    with pytest.raises(FileTooLarge):
        make_attachment(owner, content=b"0123456789A")


def test_staff_may_take_fewer_types(owner: Principal, settings: Any) -> None:
    settings.ATTACHMENT_TYPES = ["image/png"]
    make_attachment(owner, content=picture())
    for content in (picture("JPEG"), b"words"):
        with pytest.raises(FileRefused):
            make_attachment(owner, content=content)


def test_a_photo_stands_upright_and_tells_nothing_but_the_picture(owner: Principal) -> None:
    kept = make_attachment(owner, "photo.jpg", photo())
    content = attachments.content_of(kept)
    assert (kept.width, kept.height) == (20, 40)
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (20, 40)
        assert dict(image.getexif()) == {}
    for private in (b"Exif", b"taken at home", b"script"):
        assert private not in content


def test_an_untouched_jpeg_loses_nothing_but_its_notes(owner: Principal) -> None:
    original = picture("JPEG", quality=95, comment=b"secret")
    content = attachments.content_of(make_attachment(owner, "a.jpg", original))
    assert b"secret" not in content
    with Image.open(io.BytesIO(original)) as before, Image.open(io.BytesIO(content)) as after:
        assert before.tobytes() == after.tobytes()


def test_an_animation_goes_on_moving(owner: Principal) -> None:
    kept = make_attachment(owner, "wave.gif", animation())
    with Image.open(io.BytesIO(attachments.content_of(kept))) as image:
        assert image.n_frames == 3
    assert attachments.preview_of(kept)[1] == "image/jpeg"


def test_a_large_picture_has_a_small_one_for_pages_and_models(owner: Principal) -> None:
    http = key_client(owner)
    address = upload(http, "wide.png", picture(size=(4_000, 500)))["Location"]
    small = http.get(f"{address}content?preview=true")
    with Image.open(io.BytesIO(small.content)) as image:
        assert image.size == (pictures.PREVIEW_EDGE, 196)
    assert small["Content-Type"] == "image/jpeg"
    assert http.get(f"{address}content")["Content-Type"] == "image/png"


NAMES = [
    ("../../etc/passwd.txt", "passwd.txt"),
    ("C:\\Users\\nora\\plan.txt", "plan.txt"),
    ("harm\u202etxt.exe", "harmtxt.exe.txt"),
    ("a\u200b\u200fb\r\n\x00c.txt", "ab c.txt"),
    ("  .. ", "file"),
    ("", "file"),
    ("/", "file"),
    ("Über ‘uns’.txt", "Über ‘uns’.txt"),
    ("תמונה.txt", "תמונה.txt"),
    ("x" * 300 + ".txt", "x" * 146 + ".txt"),
]


@pytest.mark.parametrize(("name", "kept"), NAMES)
def test_a_name_is_no_path_and_reads_as_it_is(name: str, kept: str) -> None:
    assert clean_name(name, "text/plain") == kept


# --- What is read of a document -------------------------------------------------------------------------------------


def test_the_text_of_a_pdf_is_read_page_by_page(owner: Principal) -> None:
    kept = make_attachment(owner, "report.pdf", pdf("First page", "Second page"))
    assert kept.text.split("\n") == ["First page", "", "Second page"]
    assert not kept.is_cut


def test_a_locked_pdf_is_kept_without_its_text(owner: Principal) -> None:
    kept = make_attachment(owner, "locked.pdf", pdf("Secret", password="x"))
    assert kept.text == ""


def test_of_a_long_document_the_beginning_is_read(owner: Principal) -> None:
    kept = make_attachment(owner, "long.txt", b"ab" * 150_000)
    assert (len(kept.text), kept.is_cut) == (200_000, True)
    assert kept.size == 300_000
