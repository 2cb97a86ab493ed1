"""Files that messages name are fetched after they are stored: once, by a checked address, and lost ones say why."""

import base64
import io
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from PIL import Image

from chatcore.offload import offload
from chatcore.security.outbound import AddressRefused
from conversations.models import Attachment, Message
from external import fetching
from external.fetching import WAITS, defer_fetch, fetch_file
from external.intake import AttachmentSource, IntakeItem, accept_one
from external.models import Fetch
from tests.external.vendors import Say, vendor_api
from tests.factories import make_conversation, make_key_principal, make_model, make_principal

pytestmark = pytest.mark.usefixtures("_places")


@pytest.fixture
def _places(settings: Any, tmp_path: Any) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1:*", "localhost:*"]
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path)},
        }
    }


def picture() -> bytes:
    kept = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(kept, "PNG")
    return kept.getvalue()


def message() -> Message:
    """One that an integration has posted."""
    key = make_key_principal(make_principal(), "*:*")
    found = make_conversation(key, "Look at this").active_leaf
    assert found
    return found


def waiting(url: str, name: str = "cat.png", credentials: str | None = None) -> Fetch:
    defer_fetch(message().id, url, name, "image/png", credentials)
    return Fetch.objects.get()


def jobs() -> list[float]:
    """In how many seconds each waiting job may run."""
    with connection.cursor() as sql:
        sql.execute(
            "select coalesce(extract(epoch from scheduled_at - now()), 0) from procrastinate_jobs "
            "where task_name = %s and status = 'todo' order by id",
            [fetching.FETCH],
        )
        return [float(row[0]) for row in sql.fetchall()]


@pytest.mark.django_db(transaction=True)
async def test_a_file_is_attached_once_and_its_key_forgotten() -> None:
    with vendor_api(Say(200, picture(), {"Content-Type": "image/png"})) as api:
        fetch = await offload(waiting, f"{api.url}/media/1", credentials="Basic secret")
        await fetch_file(fetch.id)
        await fetch_file(fetch.id)
    assert [asked.headers["authorization"] for asked in api.asked] == ["Basic secret"]
    await offload(fetch.refresh_from_db)
    assert (fetch.status, fetch.authorization) == ("done", "")
    attached = await offload(lambda: list(Attachment.objects.all()))
    assert [(each.message_id, each.name, each.width) for each in attached] == [
        (fetch.message_id, "cat.png", 3)
    ]


def attempt(fetch: Fetch) -> None:
    """What the job does, in this test's own transaction."""
    begun = fetching.begin(fetch.id)
    if begun is None:
        return
    answer = async_to_sync(fetching.answer_of)(begun)
    fetching.settle(begun, answer)


@pytest.mark.django_db
def test_another_origin_is_not_told_the_key() -> None:
    with vendor_api(Say(200, picture())) as store:
        elsewhere = store.url.replace("127.0.0.1", "localhost")
        with vendor_api(Say(307, b"", {"Location": f"{elsewhere}/signed"})) as api:
            attempt(waiting(f"{api.url}/media/1", credentials="Basic secret"))
    assert "authorization" in api.asked[0].headers
    assert "authorization" not in store.asked[0].headers
    assert Attachment.objects.get().message_id


LOST = [
    pytest.param(Say(404, b""), "waiting", "404", id="not there yet"),
    pytest.param(Say(503, b""), "waiting", "503", id="down"),
    pytest.param(Say(200, b"\x7fELF\x00\x01\xff"), "failed", "", id="a type that is not taken"),
    pytest.param(Say(200, b""), "failed", "", id="empty"),
    pytest.param(Say(200, b"x" * 2_001), "failed", "", id="too large"),
    pytest.param(Say(302, b"", {"Location": "http://169.254.169.254/"}), "failed", "", id="led inwards"),
    pytest.param(Say(302, b"", {"Location": "/again"}), "waiting", "302", id="round and round"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("say", "status", "words"), LOST)
def test_a_file_that_does_not_come_says_why(settings: Any, say: Say, status: str, words: str) -> None:
    settings.ATTACHMENT_MAX_BYTES = 2_000
    with vendor_api(say) as api:
        fetch = waiting(f"{api.url}/media/1")
        attempt(fetch)
    fetch.refresh_from_db()
    assert (fetch.status, words in fetch.error, bool(fetch.error)) == (status, True, True)
    assert len(jobs()) == (2 if status == "waiting" else 1)
    assert not Attachment.objects.filter(message__isnull=False).exists()


@pytest.mark.django_db
def test_in_the_end_it_is_given_up() -> None:
    with vendor_api(Say(500, b"")) as api:
        fetch = waiting(f"{api.url}/media/1", credentials="Basic secret")
        for _ in range(len(WAITS) + 1):
            attempt(fetch)
    fetch.refresh_from_db()
    assert (fetch.status, fetch.authorization, len(api.asked)) == ("failed", "", len(WAITS) + 1)
    assert [round(seconds, -1) for seconds in jobs()] == [0, *(round(wait, -1) for wait in WAITS)]


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["ftp://x.example/a", "https://me@x.example/", "https://10.0.0.1/", "no url"])
def test_an_address_that_may_not_be_called_is_refused_at_once(url: str) -> None:
    with pytest.raises(AddressRefused):
        waiting(url)
    assert not Fetch.objects.exists()


@pytest.mark.django_db
def test_a_file_of_an_integration_that_is_gone_is_not_kept(settings: Any) -> None:
    with vendor_api(Say(200, picture())) as api:
        fetch = waiting(f"{api.url}/media/1")
        Message.objects.filter(id=fetch.message_id).update(integration=None)
        attempt(fetch)
    fetch.refresh_from_db()
    assert fetch.status == "failed"
    assert not Attachment.objects.exists()


@pytest.mark.django_db(transaction=True)
async def test_files_stand_in_the_order_in_which_the_message_named_them() -> None:
    """Whichever comes first, and whether it was fetched or came along."""

    def named(url: str) -> list[Fetch]:
        make_model()
        data = base64.b64encode(picture()).decode()
        sources = (
            AttachmentSource("first.png", url=f"{url}/1"),
            AttachmentSource("second.png", data=data),
            AttachmentSource("third.png", url=f"{url}/3"),
        )
        accept_one(make_key_principal(make_principal(), "*:*"), IntakeItem("Look", attachments=sources))
        return list(Fetch.objects.order_by("-name"))

    answer = Say(200, picture(), {"Content-Type": "image/png"})
    with vendor_api(answer, answer) as api:
        for fetch in await offload(named, api.url):
            await fetch_file(fetch.id)
    attached = await offload(lambda: list(Attachment.objects.filter(message__isnull=False)))
    assert [each.name for each in attached] == ["first.png", "second.png", "third.png"]
