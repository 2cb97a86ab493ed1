"""What models read of attachments: images where they take them, names where not, documents as text between marks."""

import base64

import pytest
from django.core.files.storage import default_storage

from chatcore.accounts.principals import Principal
from chatcore.llm.contents import IMAGES, content_of, suited
from chatcore.llm.models import Fallback, Model
from chatcore.llm.types import ModelRequest
from conversations import actions, attachments
from conversations.claims import claim_replies
from conversations.context import read_context
from conversations.models import Attachment, Conversation, Message
from conversations.turns import DOCUMENTS
from tests.conversations.files import pdf, picture
from tests.factories import make_attachment, make_conversation, make_model, make_principal

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Principal:
    return make_principal()


def make_seeing(name: str = "seeing") -> Model:
    model = make_model(name)
    Model.objects.filter(pk=model.pk).update(supports_vision=True)
    return model


def asked(owner: Principal, text: str, *files: Attachment, model: str) -> tuple[Conversation, ModelRequest]:
    conversation = make_conversation(owner)
    ids = [file.id for file in files]
    actions.post_message(owner, conversation.id, text=text, attachments=ids, model=model)
    return conversation, request_for_next()


def request_for_next() -> ModelRequest:
    (claim,) = claim_replies(1)
    return read_context(claim).request()


def test_a_model_that_takes_images_is_given_them(owner: Principal) -> None:
    make_seeing()
    chart = make_attachment(owner, "chart.png", picture())
    _, request = asked(owner, "What is it?", chart, model="seeing")
    data = base64.b64encode(attachments.content_of(chart)).decode()
    assert content_of(request.turns[0]) == [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
        {"type": "text", "text": "What is it?\n[image: chart.png]"},
    ]
    assert suited(request, takes_images=True) == request


def test_a_model_that_takes_none_reads_the_name_and_the_reply_will_say_so(owner: Principal) -> None:
    make_model("blind")
    _, request = asked(owner, "", make_attachment(owner, "chart.png", picture()), model="blind")
    fitted = suited(request, takes_images=False)
    assert [content_of(turn) for turn in fitted.turns] == ["[image: chart.png, not shown to this model]"]
    assert fitted.left_out == (IMAGES,)


def test_a_fallback_that_takes_images_sees_what_the_model_could_not(owner: Principal) -> None:
    Fallback.objects.create(model=make_model("blind"), to=make_seeing())
    _, request = asked(owner, "Look", make_attachment(owner, "chart.png", picture()), model="blind")
    assert request.turns[0].images[0].url.startswith("data:image/png;base64,")
    assert suited(request, takes_images=False).left_out == (IMAGES,)


def test_a_large_picture_is_sent_smaller(owner: Principal) -> None:
    make_seeing()
    wide = make_attachment(owner, "wide.png", picture(size=(4_000, 3_000)))
    _, request = asked(owner, "Look", wide, model="seeing")
    (image,) = request.turns[0].images
    assert image.url.startswith("data:image/jpeg;base64,")


def test_of_many_images_the_newest_are_shown(owner: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    make_seeing()
    monkeypatch.setattr("conversations.turns.MOST_IMAGES", 2)
    conversation = make_conversation(owner)
    for number in range(3):
        file = make_attachment(owner, f"{number}.png", picture())
        actions.post_message(
            owner, conversation.id, text="x", attachments=[file.id], model="seeing", respond=number == 2
        )
    request = request_for_next()
    assert [bool(turn.images[0].url) for turn in request.turns] == [False, True, True]
    assert content_of(request.turns[0]) == "x\n[image: 0.png, not shown again]"
    assert suited(request, takes_images=True).left_out == (IMAGES,)


def test_an_image_the_storage_has_lost_is_named(owner: Principal) -> None:
    make_seeing()
    lost = make_attachment(owner, "lost.png", picture())
    default_storage.delete(lost.file)
    _, request = asked(owner, "Look", lost, model="seeing")
    assert content_of(request.turns[0]) == "Look\n[image: lost.png, not shown again]"


def test_documents_are_read_between_marks_that_they_cannot_know(owner: Principal) -> None:
    make_model("plain")
    report, notes = make_attachment(owner, "report.pdf", pdf("Profit")), make_attachment(owner)
    _, request = asked(owner, "Compare", report, notes, model="plain")
    assert request.turns[0].text == (
        f"Compare\n\n[document {report.id}: report.pdf]\nProfit\n[end of document {report.id}]"
        f"\n\n[document {notes.id}: notes.txt]\nSome notes.\n[end of document {notes.id}]"
    )
    assert request.left_out == ()


def test_a_document_that_does_not_fit_is_cut_and_the_reply_will_say_so(owner: Principal) -> None:
    Model.objects.filter(pk=make_model("small").pk).update(context_window=100)
    long = make_attachment(owner, "long.txt", b"0123456789" * 100)
    _, request = asked(owner, "Read", long, model="small")
    assert f"[document {long.id}: long.txt, the first 112 of 1,000 characters]" in request.turns[0].text
    assert "0123456789" * 12 not in request.turns[0].text
    assert request.left_out == (DOCUMENTS,)


def test_a_document_without_text_says_so(owner: Principal) -> None:
    make_model("plain")
    _, request = asked(owner, "Read", make_attachment(owner, "scan.pdf", pdf("")), model="plain")
    assert "scan.pdf, of which no text could be read]" in request.turns[0].text
    assert request.left_out == (DOCUMENTS,)


def test_what_files_weigh_is_counted_before_a_model_is_asked(owner: Principal) -> None:
    conversation = make_conversation(owner)
    ids = [make_attachment(owner, "chart.png", picture()).id, make_attachment(owner).id]
    posted = actions.post_message(owner, conversation.id, text="12345", respond=False, attachments=ids)
    weight = 5 + attachments.IMAGE_WEIGHT + len(b"Some notes.")
    assert Message.objects.size_of_path(posted.message.id) == (1, weight)
