"""Files that go with messages: what they are, whose they are, and when they end."""

import io
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from PIL import Image
from procrastinate.contrib.django.models import ProcrastinateJob

from chatcore.accounts.principals import Principal
from chatcore.errors import Invalid, NotFound
from chatcore.realtime.models import Event
from conversations import actions, attachments, pictures
from conversations.errors import FileRefused, FileTooLarge, TooManyWaiting
from conversations.file_types import clean_name
from conversations.models import Attachment, Message
from tests.api import key_client, of, send, session_client
from tests.conversations.files import HTML, SVG, animation, bomb, pdf, photo, picture
from tests.factories import (
    make_attachment,
    make_conversation,
    make_key_principal,
    make_model,
    make_principal,
)

pytestmark = pytest.mark.django_db
UPLOADS = "/api/v1/attachments/"


@pytest.fixture(autouse=True)
def storage(settings: Any, tmp_path: Path) -> Path:
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path)},
        }
    }
    return tmp_path


@pytest.fixture
def owner() -> Principal:
    make_model("plain")
    return make_principal()


def upload(http: Client, name: str, content: bytes, media_type: str = "application/octet-stream") -> Any:
    return http.post(UPLOADS, {"file": SimpleUploadedFile(name, content, media_type)})


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def run_removals() -> None:
    """What the worker does with the jobs that are queued."""
    for job in ProcrastinateJob.objects.filter(task_name="conversations.remove_file"):
        attachments.remove_file(job.args["file"])


# --- What a file is -------------------------------------------------------------------------------------------------

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


# --- Whose it is ----------------------------------------------------------------------------------------------------


def test_a_message_takes_its_files_and_tells_of_them(owner: Principal) -> None:
    http = session_client(owner)
    conversation = make_conversation(owner)
    ids = [upload(http, name, b"words").json()["id"] for name in ("b.txt", "a.txt")]
    posted = send(http, "POST", f"{of(conversation)}replies", {"content": "Compare them", "attachments": ids})
    assert posted.status_code == 202, posted.content
    message = posted.json()["message"]
    assert [each["id"] for each in message["attachments"]] == ids
    assert posted.json()["reply"]["attachments"] == []
    event = Event.objects.get(type="message.created")
    assert event.payload["attachments"] == [
        {"id": id, "name": name, "media_type": "text/plain", "size": 5}
        for id, name in zip(ids, ("b.txt", "a.txt"), strict=True)
    ]
    for listed in (f"{of(conversation)}messages/", f"{of(conversation)}messages/?branch=active"):
        assert http.get(listed).json()["results"][0] == message
    assert http.get(f"/api/v1/messages/{message['id']}/").json() == message


def test_the_same_message_sent_again_has_its_files_once(owner: Principal) -> None:
    conversation, client_id = make_conversation(owner), uuid.uuid4()
    kept = make_attachment(owner)
    for _ in range(2):
        posted = actions.post_message(
            owner, conversation.id, text="x", client_id=client_id, respond=False, attachments=[kept.id]
        )
    assert posted.repeated
    assert Attachment.objects.get().message == posted.message


def test_a_message_of_files_alone_needs_no_words(owner: Principal) -> None:
    conversation = make_conversation(owner)
    kept = make_attachment(owner, "chart.png", picture())
    posted = actions.post_message(owner, conversation.id, text="", attachments=[kept.id])
    conversation.refresh_from_db()
    assert conversation.title == "chart.png"
    assert posted.reply
    with pytest.raises(Invalid):
        actions.post_message(owner, conversation.id, text="")


def test_only_ones_own_waiting_files_can_be_attached(owner: Principal) -> None:
    conversation = make_conversation(owner)
    teammate = make_principal(workspace=owner.workspace)
    elsewhere = make_principal(user=owner.user)
    sent = make_attachment(owner)
    actions.post_message(owner, conversation.id, text="x", respond=False, attachments=[sent.id])
    for wrong in (
        make_attachment(teammate).id,
        make_attachment(elsewhere).id,
        make_attachment(make_principal()).id,
        sent.id,
        uuid.uuid4(),
    ):
        right = make_attachment(owner).id
        with pytest.raises(Invalid) as refused:
            actions.post_message(owner, conversation.id, text="y", attachments=[right, wrong])
        (error,) = refused.value.errors
        assert (error.pointer, error.code) == ("/attachments/1", "unknown_attachment")
        with pytest.raises(Invalid):
            actions.post_message(owner, conversation.id, text="y", attachments=[right, right])
    assert Message.objects.count() == 1
    assert Attachment.objects.filter(message=None, user=owner.user, workspace=owner.workspace).count() == 5


def test_an_integration_attaches_what_it_uploaded_whomever_it_acts_for(owner: Principal) -> None:
    gateway = make_key_principal(owner, "*:*")
    for_nobody = Principal(None, gateway.workspace, gateway.integration, gateway.grants, "", credential="key")
    kept = make_attachment(for_nobody)
    posted = actions.post_message(
        gateway, make_conversation(owner).id, text="x", respond=False, attachments=[kept.id]
    )
    assert Attachment.objects.get().message == posted.message


def test_eleven_files_are_too_many(owner: Principal) -> None:
    conversation = make_conversation(owner)
    ids = [make_attachment(owner).id for _ in range(11)]
    with pytest.raises(Invalid) as refused:
        actions.post_message(owner, conversation.id, text="x", attachments=ids)
    assert refused.value.errors[0].code == "too_many"
    body = {"content": "x", "attachments": [str(each) for each in ids]}
    assert send(key_client(owner), "POST", f"{of(conversation)}replies", body).status_code == 422
    actions.post_message(owner, conversation.id, text="x", attachments=ids[:10])


def test_who_sends_nothing_cannot_upload_without_end(
    owner: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments, "MOST_WAITING", 2)
    for _ in range(2):
        make_attachment(owner)
    with pytest.raises(TooManyWaiting):
        make_attachment(owner)
    make_attachment(make_principal(workspace=owner.workspace))


def test_what_waits_is_its_uploaders_alone_and_what_was_sent_its_readers(owner: Principal) -> None:
    teammate = make_principal(workspace=owner.workspace)
    waiting, sent = make_attachment(owner), make_attachment(owner)
    conversation = make_conversation(owner)
    actions.post_message(owner, conversation.id, text="x", respond=False, attachments=[sent.id])
    for each in (waiting, sent):
        assert attachments.find_attachment(owner, each.id) == each
        with pytest.raises(NotFound):
            attachments.find_attachment(teammate, each.id)
    conversation.members.create(user=teammate.user, workspace=owner.workspace, last_message_at=timezone.now())
    assert attachments.find_attachment(teammate, sent.id) == sent
    for unseen in (waiting,):
        assert session_client(teammate).delete(f"{UPLOADS}{unseen.id}/").status_code == 404


# --- When it ends ---------------------------------------------------------------------------------------------------


def test_what_was_sent_is_not_deleted_by_itself(owner: Principal) -> None:
    kept = make_attachment(owner)
    actions.post_message(owner, make_conversation(owner).id, text="x", respond=False, attachments=[kept.id])
    answer = session_client(owner).delete(f"{UPLOADS}{kept.id}/")
    assert (answer.status_code, answer.json()["code"]) == (409, "attachment_sent")


def test_its_files_go_with_the_row(owner: Principal, storage: Path) -> None:
    wide = make_attachment(owner, "wide.png", picture(size=(2_000, 500)))
    assert len(files_in(storage)) == 2
    assert session_client(owner).delete(f"{UPLOADS}{wide.id}/").status_code == 204
    run_removals()
    assert files_in(storage) == []


@pytest.mark.parametrize("what", ["message", "conversation", "workspace"])
def test_they_go_with_the_message_the_conversation_and_the_workspace(
    owner: Principal, storage: Path, what: str
) -> None:
    conversation = make_conversation(owner)
    ids = [make_attachment(owner, "chart.png", picture()).id, make_attachment(owner).id]
    posted = actions.post_message(owner, conversation.id, text="x", respond=False, attachments=ids)
    if what == "message":
        actions.delete_message(owner, posted.message.id)
    elif what == "conversation":
        actions.delete_conversation(owner, conversation.id)
    else:
        owner.workspace.delete()
    assert not Attachment.objects.exists()
    run_removals()
    assert files_in(storage) == []


def test_an_edited_message_keeps_its_files_and_each_branch_lets_go_of_them_alone(
    owner: Principal, storage: Path
) -> None:
    conversation = make_conversation(owner)
    kept = make_attachment(owner, "chart.png", picture())
    old = actions.post_message(owner, conversation.id, text="x", respond=False, attachments=[kept.id]).message
    new = actions.edit_message(owner, old.id, text="y").message
    (copied,) = new.attachments.all()
    assert (copied.name, copied.file) == (kept.name, kept.file)

    actions.delete_message(owner, old.id)
    run_removals()
    assert attachments.content_of(copied)
    Message.objects.filter(parent=new).update(status="done")
    actions.delete_message(owner, new.id)
    run_removals()
    assert files_in(storage) == []


def test_what_nobody_sends_goes_after_a_day(owner: Principal) -> None:
    sent, old, young = (make_attachment(owner) for _ in range(3))
    actions.post_message(owner, make_conversation(owner).id, text="x", respond=False, attachments=[sent.id])
    Attachment.objects.exclude(id=young.id).update(created_at=timezone.now() - timedelta(hours=25))
    assert attachments.sweep_waiting() == 1
    assert set(Attachment.objects.all()) == {sent, young}
    assert not Attachment.objects.filter(id=old.id).exists()


def test_a_file_the_storage_has_lost_is_not_there(owner: Principal, storage: Path) -> None:
    kept = make_attachment(owner)
    for path in files_in(storage):
        path.unlink()
    assert session_client(owner).get(f"{UPLOADS}{kept.id}/content").status_code == 404
