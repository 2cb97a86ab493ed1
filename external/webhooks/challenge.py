"""The signed question that a new address must answer before it is told anything: that its owner wants to be told."""

import hmac
import json
import secrets
import uuid
from collections.abc import Iterable
from datetime import datetime

from django.utils import timezone

from chatcore.offload import offload
from chatcore.security.fields import Unreadable
from chatcore.security.outbound import Answer
from external.models import Webhook
from external.webhooks import signing
from external.webhooks.payloads import FORM, compact
from external.webhooks.sending import post
from external.webhooks.signing import Signing
from external.webhooks.states import activate

TYPE = "webhook.challenge"
WORDS = {
    "outbound_timed_out": "The address did not answer in time.",
    "outbound_unreachable": "The address cannot be reached, or does not answer in HTTP.",
    "address_refused": "This address is not one that may be called.",
}


async def challenge(webhook_id: uuid.UUID) -> bool:
    """Ask once; returns whether the answer was right. One that no longer waits for it is left alone."""
    waiting = await offload(_waiting, webhook_id)
    if waiting is None:
        return False
    webhook, keys = waiting
    wrong = await ask(webhook, keys)
    if wrong:
        await offload(_note_failure, webhook, wrong)
        return False
    return await offload(activate, webhook.id, webhook.url, timezone.now())


async def ask(webhook: Webhook, keys: Iterable[str]) -> str:
    """What was wrong with the answer, in words; empty where it was right."""
    token, now = secrets.token_urlsafe(24), timezone.now()
    body = _body(webhook.id, token, now)
    headers = signing.headers(f"challenge-{uuid.uuid4()}", body, now, keys)
    answer, code = await post(webhook.url, body, headers)
    return "" if answer is not None and is_right(answer, token) else _reason(answer, code)


def _waiting(webhook_id: uuid.UUID) -> tuple[Webhook, tuple[str, ...]] | None:
    pending = Webhook.objects.without_secrets().filter(id=webhook_id, status=Webhook.Status.PENDING)
    webhook = pending.first()
    if webhook is None:
        return None
    try:
        keys = Signing(webhook.secret, webhook.previous_secret, webhook.rotated_at).keys(timezone.now())
    except Unreadable:
        _note_failure(webhook, "The secret cannot be read any more: rotate it.")
        return None
    return webhook, keys


def _body(webhook_id: uuid.UUID, token: str, now: datetime) -> bytes:
    data = {"webhook": str(webhook_id), "challenge": token}
    return compact({"type": TYPE, "timestamp": now.isoformat(), "version": FORM, "data": data}).encode()


def is_right(answer: Answer, token: str) -> bool:
    """2xx, and the token as the whole body or as `challenge` of a JSON object."""
    if not 200 <= answer.status < 300:
        return False
    said = answer.body.strip()
    try:
        document = json.loads(said)
        said = str(document["challenge"]).encode() if isinstance(document, dict) else said
    except (ValueError, KeyError, RecursionError):
        pass
    return hmac.compare_digest(said, token.encode())


def _reason(answer: Answer | None, code: str) -> str:
    if answer is None:
        return WORDS.get(code, "The address did not answer as it should.")
    if 200 <= answer.status < 300:
        return "The address answered, but not with the challenge."
    return f"The address answered {answer.status}."


def _note_failure(webhook: Webhook, words: str) -> None:
    pending = Webhook.objects.filter(id=webhook.id, status=Webhook.Status.PENDING, url=webhook.url)
    pending.update(challenge_error=words)
