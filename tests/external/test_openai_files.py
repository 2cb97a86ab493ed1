"""Pictures of a dialogue that are named by addresses; and streams whose answers begin anew."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from chatcore.errors import ChatcoreError
from conversations.actions import Spoken
from conversations.errors import FileRefused
from external.openai import files
from external.openai.files import SentFile, examine_files
from external.openai.sources import Failed
from external.openai.telling import Telling
from tests.external.vendors import Say, vendor_api


@pytest.fixture(autouse=True)
def _places(settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1:*"]
    settings.ATTACHMENT_MAX_BYTES = 2_000


def picture() -> bytes:
    kept = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(kept, "PNG")
    return kept.getvalue()


def sent(*addresses: str) -> tuple[list[Spoken], dict[str, SentFile]]:
    """A message with the pictures at these addresses."""
    found = {
        file.digest: file
        for at, address in enumerate(addresses)
        for file in [SentFile("", address, f"/messages/0/content/{at}/image_url/url", is_picture=True)]
    }
    return [Spoken("user", "Look", files=tuple(found))], found


async def test_a_picture_is_fetched_from_its_address() -> None:
    with vendor_api(Say(302, b"", {"Location": "/cat.png"}), Say(200, picture())) as api:
        found = await examine_files(*sent(f"{api.url}/pictures/cat.png"))
    [[examined]] = found.values()
    assert (examined.attachment.name, examined.attachment.width) == ("cat.png", 3)
    assert [asked.path for asked in api.asked] == ["/pictures/cat.png", "/cat.png"]


LOST = {
    "not there": Say(404, b""),
    "a page": Say(200, b"<!doctype html>"),
    "too large": Say(200, b"x" * 2_001),
    "led inwards": Say(302, b"", {"Location": "http://169.254.169.254/"}),
}


@pytest.mark.parametrize("kind", LOST)
async def test_a_picture_that_cannot_be_had_is_refused_with_its_place(kind: str) -> None:
    with vendor_api(LOST[kind]) as api, pytest.raises(FileRefused) as refused:
        await examine_files(*sent(f"{api.url}/cat.png"))
    assert [problem.pointer for problem in refused.value.errors] == ["/messages/0/content/0/image_url/url"]


async def test_all_the_pictures_of_a_request_have_one_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FETCHED_BYTES", len(picture()) + 10)
    with vendor_api(Say(200, picture()), Say(200, picture())) as api, pytest.raises(ChatcoreError) as refused:
        await examine_files(*sent(f"{api.url}/1.png", f"{api.url}/2.png"))
    assert [problem.pointer for problem in refused.value.errors] == ["/messages/0/content/1/image_url/url"]
    assert len(api.asked) == 2


# --- Answers that begin anew ----------------------------------------------------------------------------------------


def heard(pieces: list[str | None]) -> Iterator[str]:
    """None: the answer begins anew."""
    telling = Telling()
    for piece in pieces:
        if piece is None:
            telling.restart()
        else:
            yield telling.text(piece)
    telling.end()


@pytest.mark.parametrize(
    "pieces",
    [
        ["Hello ", None, "He", "llo wor", "ld"],
        [None, "Hello", " world"],
        ["Hel", None, "Hello", None, "H", None, "Hello world"],
        ["Hello world", None, "Hello world"],
    ],
)
def test_an_answer_that_begins_anew_with_what_was_told_goes_on(pieces: list[str | None]) -> None:
    assert "".join(heard(pieces)) == "Hello world"


@pytest.mark.parametrize("pieces", [["Hello", None, "Hi"], ["Hello", None, "Hell"], ["Hello", None]])
def test_one_that_says_anything_else_is_broken(pieces: list[str | None]) -> None:
    with pytest.raises(Failed) as failed:
        list(heard(pieces))
    assert failed.value.error["code"] == "restarted"


def test_only_the_first_attempt_tells_how_it_reasons() -> None:
    telling = Telling()
    told = [telling.reasoning("Hm, "), telling.reasoning("so.")]
    telling.restart()
    assert [*told, telling.reasoning("Well"), telling.text("Yes")] == ["Hm, ", "so.", "", "Yes"]
