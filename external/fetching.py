"""Files that a message names by their addresses: fetched after it is stored, through the guarded client."""

import uuid
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import F

from chatcore import jobs
from chatcore.errors import ChatcoreError, NotFound
from chatcore.offload import offload
from chatcore.security import outbound
from chatcore.security.fields import Unreadable
from conversations.attachments import attach, store
from external.integrations import principal_of_integration
from external.models import Fetch

FETCH = "external.fetch"
TOTAL_SECONDS = 60.0
REDIRECTS = 3
WAITS = (2, 10, 60, 300, 1_800)  # seconds before each further attempt


class FetchFailed(ChatcoreError):
    """A file that a message names could not be fetched."""

    status, code, retryable = 502, "fetch_failed", True
    remedy = (
        "See the reason in `detail`. It is tried again by itself for half an hour; if it fails then, "
        "post the file's bytes in `data`."
    )


def defer_fetch(
    message_id: uuid.UUID,
    url: str,
    name: str,
    media_type: str,
    credentials: str | None = None,
    *,
    position: int = 0,
) -> None:
    """Fetch a file and attach it to the message in that place, once this transaction is committed.

    `credentials` is the Authorization header that opens it: told to the address's own origin alone, kept encrypted,
    forgotten when it is over. An empty `media_type` is what the answer says. Raises AddressRefused.
    """
    outbound.check_url(url)
    waiting = Fetch.objects.create(
        message_id=message_id,
        url=url,
        name=name or name_in(url),
        position=position,
        media_type=media_type,
        authorization=credentials or "",
    )
    jobs.defer(FETCH, fetch_id=str(waiting.id))


async def fetch_file(fetch_id: uuid.UUID) -> None:
    """One attempt. What fails for now is left to a later job, what fails for good is kept with its reason."""
    waiting = await offload(begin, fetch_id)
    if waiting is not None:
        await offload(settle, waiting, await answer_of(waiting))


def begin(fetch_id: uuid.UUID) -> Fetch | None:
    """The file that still waits, with one attempt more. None: it is over."""
    waiting = Fetch.objects.filter(id=fetch_id, status=Fetch.Status.WAITING)
    waiting.update(attempts=F("attempts") + 1)
    try:
        return waiting.select_related("message__integration__workspace").first()
    except Unreadable as error:
        waiting.update(status=Fetch.Status.FAILED, authorization="", error=error.detail)
        return None


async def answer_of(waiting: Fetch) -> outbound.Answer | ChatcoreError:
    """What stands at its address, or why that cannot be had."""
    limits = outbound.Limits(total_seconds=TOTAL_SECONDS, max_bytes=settings.ATTACHMENT_MAX_BYTES)
    headers = {"Authorization": waiting.authorization} if waiting.authorization else {}
    try:
        answer = await outbound.fetch("GET", waiting.url, headers=headers, limits=limits, redirects=REDIRECTS)
    except ChatcoreError as error:
        return error
    # A file that a vendor has just announced may not be there yet: any other status is tried again.
    return answer if answer.status == 200 else FetchFailed(f"It answered {answer.status}.")


def settle(waiting: Fetch, answer: outbound.Answer | ChatcoreError) -> None:
    """Keep the file and attach it, or say why there is none."""
    try:
        if isinstance(answer, ChatcoreError):
            raise answer
        _keep(waiting, answer)
    except ChatcoreError as error:
        _note_failure(waiting, error)


def _keep(waiting: Fetch, answer: outbound.Answer) -> None:
    """Attached once, however often the job ran; what a second run has stored is swept with all unsent files."""
    integration = waiting.message.integration
    if integration is None:
        raise NotFound("Its integration is gone.")
    principal = principal_of_integration(integration)
    media_type = waiting.media_type or answer.headers.get("content-type", "").partition(";")[0].strip()
    kept = store(principal, name=waiting.name, media_type=media_type, content=answer.body)
    with transaction.atomic():
        ours = Fetch.objects.filter(id=waiting.id, status=Fetch.Status.WAITING)
        if ours.update(status=Fetch.Status.DONE, authorization="", error=""):
            attach(waiting.message, [kept], principal, [waiting.position])


@transaction.atomic
def _note_failure(waiting: Fetch, error: ChatcoreError) -> None:
    ours = Fetch.objects.filter(id=waiting.id, status=Fetch.Status.WAITING)
    if error.retryable and waiting.attempts <= len(WAITS):
        ours.update(error=error.detail[:500])
        wait = {"seconds": WAITS[waiting.attempts - 1]}
        jobs.defer(
            jobs.app.configure_task(FETCH, allow_unknown=False, schedule_in=wait), fetch_id=str(waiting.id)
        )
    else:
        ours.update(status=Fetch.Status.FAILED, authorization="", error=error.detail[:500])


def name_in(url: str) -> str:
    """What a file is called of which only the address is known."""
    return urlsplit(url).path.rpartition("/")[2][:255] or "file"
