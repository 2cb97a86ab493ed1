"""One attempt: the signed request, and what came of it."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from chatcore.errors import ChatcoreError
from chatcore.security import outbound
from chatcore.security.outbound import Answer, Limits
from external.webhooks import schedule, signing
from external.webhooks.claims import Claim

KEPT_BYTES = 4 * 1024
LIMITS = Limits(connect_seconds=5.0, total_seconds=15.0, max_bytes=KEPT_BYTES, on_excess="cut")
HOPS = "Chatcore-Hops"


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt. `status` is None where no answer came; `code` then says why."""

    claim: Claim
    started_at: datetime
    duration_ms: int
    status: int | None
    code: str = ""
    answer: str = ""
    retry_after: timedelta | None = None

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        return self.status == 410


async def send(claim: Claim, now: datetime) -> Outcome:
    """Never raises for what the receiver does. `now` is what is signed, and what Retry-After counts from."""
    began = time.monotonic()
    answer, code = None, "credential_unreadable"
    if claim.signing is not None:
        headers = signing.headers(str(claim.id), claim.body, now, claim.signing.keys(now))
        answer, code = await post(claim.url, claim.body, headers | {HOPS: str(claim.hops)})
    duration = round((time.monotonic() - began) * 1000)
    if answer is None:
        return Outcome(claim, now, duration, None, code)
    return Outcome(
        claim,
        now,
        duration,
        answer.status,
        answer=readable(answer.body),
        retry_after=schedule.retry_after(answer.headers.get("retry-after"), now),
    )


async def post(url: str, body: bytes, headers: dict[str, str]) -> tuple[Answer | None, str]:
    """The answer, or why there is none. Redirects are answers, not followed."""
    sent = {"content-type": "application/json", "user-agent": "Chatcore-Webhooks/1"} | headers
    try:
        return await outbound.fetch("POST", url, headers=sent, content=body, limits=LIMITS), ""
    except ChatcoreError as error:
        return None, error.code


def readable(body: bytes) -> str:
    """Text as the database takes it."""
    return body[:KEPT_BYTES].decode("utf-8", "replace").replace("\x00", "\ufffd")
