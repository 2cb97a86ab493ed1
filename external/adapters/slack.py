"""Slack: messages to an app by its Events API, replies by chat.postMessage.

https://docs.slack.dev/authentication/verifying-requests-from-slack, /apis/events-api,
/reference/methods/chat.postMessage.
"""

import hashlib
import hmac
import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from chatcore.errors import FieldProblem, Invalid
from chatcore.security import outbound
from external.adapters.adapter import (
    Adapter,
    Answer,
    Incoming,
    Media,
    NotSent,
    Outcome,
    Parsed,
    Received,
)

BASE_URL = "https://slack.com"
FILES_HOST = "https://files.slack.com/"
WINDOW_SECONDS = 300
MOST_FILES = 10
LISTEN = ("mentions", "everything")
TEMPORARY = {"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
TAKEN_SUBTYPES = {None, "file_share", "thread_broadcast", "me_message"}


class SlackAdapter(Adapter):
    LABEL = "Slack"
    SECRETS: ClassVar = {
        "signing_secret": "the app's signing secret, from its Basic Information",
        "bot_token": "the bot's token, xoxb-…: replies and files need it",
    }
    SETTINGS: ClassVar = {
        "listen": "mentions (and direct messages; usual), or everything said where the app is",
        "base_url": f"of the Web API; usually left out ({BASE_URL})",
    }
    SHAPES: ClassVar = {"listen": LISTEN}
    REPLY_LENGTH = 4_000

    def problems(self) -> list[FieldProblem]:
        found = super().problems()
        if not self.setup.secrets.get("signing_secret"):
            found.append(FieldProblem("/secrets/signing_secret", "must be given", "required"))
        if self._listen not in LISTEN:
            found.append(FieldProblem("/settings/listen", f"must be one of {', '.join(LISTEN)}", "choice"))
        return found

    @property
    def _listen(self) -> str:
        return str(self.setup.settings.get("listen") or LISTEN[0])

    @property
    def _bearer(self) -> str:
        token = self.setup.secrets.get("bot_token", "")
        return f"Bearer {token}" if token else ""

    def verify(self, received: Received) -> bool:
        """Requests older than five minutes are somebody's who has listened."""
        timestamp = received.headers.get("x-slack-request-timestamp", "")
        given = received.headers.get("x-slack-signature", "")
        if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
            return False
        right = signature(self.setup.secrets.get("signing_secret", ""), timestamp, received.body)
        same = hmac.compare_digest(right.encode(), given.encode())
        return same and abs(received.at - int(timestamp)) <= WINDOW_SECONDS

    def parse(self, received: Received) -> Parsed:
        envelope = received.json()
        if not isinstance(envelope, dict):
            raise _wrong("", "must be a JSON object", "type")
        if envelope.get("type") == "url_verification":
            return Parsed(answer=Answer(200, _text(envelope, "challenge")[:1_000]))
        if envelope.get("type") == "app_rate_limited":
            return Parsed(incoming=(RateLimited(),))
        event = envelope.get("event")
        if envelope.get("type") != "event_callback" or not isinstance(event, dict):
            return Parsed()
        return (
            Parsed(incoming=(self._incoming(envelope, event),))
            if self._is_for_us(envelope, event)
            else Parsed()
        )

    def _is_for_us(self, envelope: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
        """Somebody's words, once: what is said to the app comes as a mention and as a message. Its own words, and
        those of other bots, would go round in a circle.
        """
        if (
            event.get("bot_id")
            or event.get("subtype") not in TAKEN_SUBTYPES
            or event.get("user") in _bots(envelope)
        ):
            return False
        if event.get("type") == "app_mention":
            return self._listen == "mentions"
        is_message = event.get("type") == "message"
        return is_message and (self._listen == "everything" or event.get("channel_type") == "im")

    def _incoming(self, envelope: Mapping[str, Any], event: Mapping[str, Any]) -> Incoming:
        """Each thread is a conversation; what is said outside of one begins it. A direct channel is one by itself."""
        team = _text(envelope, "team_id")
        channel, sender, said_at = (_text(event, name, "/event") for name in ("channel", "user", "ts"))
        within = str(event.get("thread_ts") or ("" if event.get("channel_type") == "im" else said_at))
        media = self._media(event)
        return Incoming(
            content=_plain(str(event.get("text") or ""), _bots(envelope)) or _said_by(media),
            external_id=_text(envelope, "event_id"),
            channel="slack",
            handle=f"{team}:{sender}",
            thread=f"{channel}:{within}" if within else channel,
            metadata={"source": "slack", "channel": channel, "user": sender},
            address={"channel": channel, "thread_ts": within},
            media=media,
        )

    def _media(self, event: Mapping[str, Any]) -> tuple[Media, ...]:
        files = event.get("files") or []
        if not isinstance(files, list) or len(files) > MOST_FILES:
            raise _wrong("/event/files", f"must be at most {MOST_FILES}", "too_many_attachments")
        described = [each for each in files if isinstance(each, dict) and each.get("url_private_download")]
        return tuple(
            Media(
                url := str(each["url_private_download"]),
                str(each.get("name") or "file"),
                str(each.get("mimetype") or ""),
                self._bearer if url.startswith(FILES_HOST) else "",
            )
            for each in described
        )

    def answer(self, outcomes: Iterable[Outcome]) -> Answer:  # noqa: ARG002
        return Answer(200, "", headers={"X-Slack-No-Retry": "1"})

    async def reply(self, address: Mapping[str, str], text: str) -> str:
        """Nothing a model writes may call for everybody: its `<!channel>` is shown as it is."""
        body = {"channel": address["channel"], "text": html.escape(text, quote=False)}
        if address.get("thread_ts"):
            body["thread_ts"] = address["thread_ts"]
        base_url = str(self.setup.settings.get("base_url") or BASE_URL).rstrip("/")
        headers = {"Authorization": self._bearer, "Content-Type": "application/json; charset=utf-8"}
        answer = await outbound.fetch(
            "POST", f"{base_url}/api/chat.postMessage", headers=headers, content=json.dumps(body).encode()
        )
        try:
            said = json.loads(answer.body)
        except ValueError:
            said = {}
        if isinstance(said, dict) and said.get("ok") and said.get("ts"):
            return f"{said.get('channel', '')}:{said['ts']}"
        raise _not_sent(answer, str(said.get("error", "")) if isinstance(said, dict) else "")


class RateLimited(Invalid):
    """Slack has left out messages of this minute, because more than 30,000 came in an hour."""

    code: ClassVar[str] = "vendor_rate_limited"
    remedy: ClassVar[str] = "Let the app listen to less, such as mentions alone."


def signature(secret: str, timestamp: str, body: bytes) -> str:
    signed = b":".join((b"v0", timestamp.encode(), body))
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def _bots(envelope: Mapping[str, Any]) -> set[str]:
    """The users as whom the app itself takes part."""
    installed = envelope.get("authorizations")
    rows = installed if isinstance(installed, list) else []
    return {str(row.get("user_id")) for row in rows if isinstance(row, dict) and row.get("is_bot")}


_LINK = re.compile(r"<((?:https?|mailto):[^|<>]+)(?:\|([^<>]*))?>")


def _plain(text: str, bots: set[str]) -> str:
    """Slack's own marks as people read them: links with their words, and no mention of the app."""
    for bot in bots:
        text = text.replace(f"<@{bot}>", "")
    linked = _LINK.sub(lambda found: f"{found[2]} ({found[1]})" if found[2] else found[1], text)
    return html.unescape(linked).strip()


def _said_by(media: tuple[Media, ...]) -> str:
    return f"({len(media)} attached)" if media else ""


def _text(values: Mapping[str, Any], name: str, where: str = "") -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise _wrong(f"{where}/{name}", "must be given", "required")
    return value


def _wrong(pointer: str, detail: str, code: str) -> Invalid:
    return Invalid(f"{pointer.strip('/') or 'body'}: {detail}", errors=[FieldProblem(pointer, detail, code)])


def _not_sent(answer: outbound.Answer, error: str) -> NotSent:
    wait = answer.headers.get("retry-after", "")
    return NotSent(
        f"{answer.status} {error}".strip()[:500],
        retryable=answer.status == 429 or answer.status >= 500 or error in TEMPORARY,
        retry_after=int(wait) if wait.isdigit() else None,
    )
