"""Files that go with messages: whose they are, and when they end."""

import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from chatcore.accounts.principals import Principal
from chatcore.errors import Invalid, NotFound
from chatcore.realtime.models import Event
from conversations import actions, attachments
from conversations.errors import TooManyWaiting
from conversations.models import Attachment, Message
from tests.api import key_client, of, send, session_client
from tests.conversations.files import picture
from tests.conversations.uploading import UPLOADS, files_in, owner, storage, upload
from tests.factories import (
    make_attachment,
    make_conversation,
    make_key_principal,
    make_principal,
)

__all__ = ["owner", "storage"]
pytestmark = pytest.mark.django_db


def run_removals() -> None:
    """What the worker does with the jobs that are queued."""
    for job in ProcrastinateJob.objects.filter(task_name="conversations.remove_file"):
        attachments.remove_file(job.args["file"])


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
