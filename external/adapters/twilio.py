"""Twilio: SMS, MMS and WhatsApp, both ways.

https://www.twilio.com/docs/usage/security (signature), /docs/messaging/guides/webhook-request (fields),
/docs/messaging/api/message-resource (replies and their states).
"""

import base64
import hashlib
import hmac
import json
import mimetypes
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from chatcore.errors import FieldProblem, Invalid
from chatcore.security import outbound
from external.adapters.adapter import (
    Adapter,
    Answer,
    Confirmation,
    DeliveryState,
    Incoming,
    Media,
    NotSent,
    Outcome,
    Parsed,
    Received,
)

BASE_URL = "https://api.twilio.com"
EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
MOST_MEDIA = 10
MOST_FIELDS = 500
WHATSAPP = "whatsapp:"
STATES: Mapping[str, DeliveryState] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "failed": "failed",
    "undelivered": "failed",
    "canceled": "failed",
}

Fields = list[tuple[str, str]]


class TwilioAdapter(Adapter):
    LABEL = "Twilio"
    SECRETS: ClassVar = {"auth_token": "the account's auth token: it signs requests and opens media"}
    SETTINGS: ClassVar = {
        "account_sid": "the account's SID, AC…: replies are sent with it",
        "base_url": f"of the REST API; usually left out ({BASE_URL})",
    }
    REPLY_LENGTH = 1_600

    @property
    def _token(self) -> str:
        return self.setup.secrets.get("auth_token", "")

    @property
    def _account(self) -> str:
        return str(self.setup.settings.get("account_sid", ""))

    @property
    def _base_url(self) -> str:
        return str(self.setup.settings.get("base_url") or BASE_URL).rstrip("/")

    def problems(self) -> list[FieldProblem]:
        found = super().problems()
        if not self._token:
            found.append(FieldProblem("/secrets/auth_token", "must be given", "required"))
        if not self._account.isalnum():
            found.append(
                FieldProblem("/settings/account_sid", "must be given: AC and 32 letters", "required")
            )
        return found

    def verify(self, received: Received) -> bool:
        """With the port that https has by itself, or without: Twilio signs either."""
        given = received.headers.get("x-twilio-signature", "")
        fields = _fields(received)
        if not given or fields is None:
            return False
        forms = (received.url, _with_port(received.url))
        right = [hmac.compare_digest(signature(self._token, url, fields), given.encode()) for url in forms]
        return any(right)

    def parse(self, received: Received) -> Parsed:
        values = _single(_fields(received) or [])
        status = values.get("MessageStatus")
        if status and status != "received":
            return Parsed(confirmations=_confirmations(values, status))
        return Parsed(incoming=(self._incoming(values),))

    def answer(self, outcomes: Iterable[Outcome]) -> Answer:  # noqa: ARG002
        return Answer(200, EMPTY_TWIML, "text/xml")

    def _incoming(self, values: Mapping[str, str]) -> Incoming:
        sid, sender, to = (_required(values, name) for name in ("MessageSid", "From", "To"))
        media = self._media(values)
        channel = "whatsapp" if sender.startswith(WHATSAPP) else "sms"
        handle = sender.removeprefix(WHATSAPP)
        return Incoming(
            content=values.get("Body", "") or _said_by(media),
            external_id=sid,
            channel=channel,
            handle=handle,
            thread=f"{handle} {to.removeprefix(WHATSAPP)}",
            title=values.get("ProfileName", "")[:150] or handle,
            metadata={"source": channel, "to": to},
            address={"to": sender, "from": to},
            media=media,
            respond="OptOutType" not in values,
        )

    def _media(self, values: Mapping[str, str]) -> tuple[Media, ...]:
        said = values.get("NumMedia") or "0"
        count = int(said) if said.isascii() and said.isdigit() and len(said) < 4 else -1
        if not 0 <= count <= MOST_MEDIA:
            raise _wrong("NumMedia", f"must be a number up to {MOST_MEDIA}", "too_many_attachments")
        return tuple(self._one_media(values, number) for number in range(count))

    def _one_media(self, values: Mapping[str, str], number: int) -> Media:
        url = _required(values, f"MediaUrl{number}")
        media_type = values.get(f"MediaContentType{number}", "")
        name = f"media-{number + 1}{mimetypes.guess_extension(media_type) or ''}"
        # The token opens Twilio's own addresses and is told to no other.
        ours = _origin(url) == _origin(self._base_url)
        return Media(url, name, media_type, self._authorization() if ours else "")

    async def reply(self, address: Mapping[str, str], text: str) -> str:
        """Its states come to the source's own address."""
        form = {
            "To": address["to"],
            "From": address["from"],
            "Body": text,
            "StatusCallback": self.setup.address,
        }
        answer = await outbound.fetch(
            "POST",
            f"{self._base_url}/2010-04-01/Accounts/{self._account}/Messages.json",
            headers={
                "Authorization": self._authorization(),
                "Content-Type": "application/x-www-form-urlencoded",
            },
            content=urlencode(form).encode(),
        )
        said = _object(answer.body)
        if answer.status == 201 and said.get("sid"):
            return str(said["sid"])
        raise _not_sent(answer, said)

    def _authorization(self) -> str:
        return "Basic " + base64.b64encode(f"{self._account}:{self._token}".encode()).decode()


def signature(token: str, url: str, fields: Fields) -> bytes:
    """Base64 of HMAC-SHA1 over the URL and the fields by name; each value of a repeated field counts once."""
    named: dict[str, set[str]] = {}
    for name, value in fields:
        named.setdefault(name, set()).add(value)
    text = url + "".join(name + value for name in sorted(named) for value in sorted(named[name]))
    digest = hmac.new(token.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha1)
    return base64.b64encode(digest.digest())


def _fields(received: Received) -> Fields | None:
    """None where the body is no form in UTF-8."""
    try:
        return parse_qsl(
            received.body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        return None


def _single(fields: Fields) -> dict[str, str]:
    """One value for each name. Which of two would hold is anybody's guess."""
    values: dict[str, str] = {}
    for name, value in fields:
        if values.setdefault(name, value) != value:
            raise _wrong(name, "must be given once", "repeated")
    return values


def _required(values: Mapping[str, str], name: str) -> str:
    if not values.get(name):
        raise _wrong(name, "must be given", "required")
    return values[name]


def _wrong(name: str, detail: str, code: str) -> Invalid:
    return Invalid(f"{name}: {detail}", errors=[FieldProblem(f"/{name}", detail, code)])


def _said_by(media: tuple[Media, ...]) -> str:
    """Media without words: a message needs some."""
    return f"({len(media)} attached)" if media else ""


def _confirmations(values: Mapping[str, str], status: str) -> tuple[Confirmation, ...]:
    """States that say nothing new, such as `queued` and those to come, are passed over."""
    state = STATES.get(status)
    if state is None:
        return ()
    error = " ".join(filter(None, (values.get("ErrorCode"), values.get("ErrorMessage"))))
    return (Confirmation(_required(values, "MessageSid"), state, error[:500]),)


def _with_port(url: str) -> str:
    """The same URL with the port its scheme has by itself, or without it."""
    parts = urlsplit(url)
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    host = parts.netloc.removesuffix(f":{usual}") if parts.port else f"{parts.netloc}:{usual}"
    return parts._replace(netloc=host).geturl()


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _not_sent(answer: outbound.Answer, said: Mapping[str, Any]) -> NotSent:
    words = f"{answer.status} {said.get('code', '')} {said.get('message', '')}".strip()
    wait = answer.headers.get("retry-after", "")
    return NotSent(
        words[:500],
        retryable=answer.status == 429 or answer.status >= 500,
        retry_after=int(wait) if wait.isdigit() else None,
    )
