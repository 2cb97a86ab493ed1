"""Vendors as the tests play them: captured requests, signed as they sign, and their APIs on this machine."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from django.test import Client
from standardwebhooks import Webhook

from chatcore.accounts.models import Integration
from chatcore.accounts.principals import Principal
from conversations.models import Message
from external.adapters.adapter import Received
from external.models import Source
from tests.factories import make_key_principal

SAMPLES = Path(__file__).parent / "samples"
TOKEN = "12345"
SLACK_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ACCOUNT = "AC00000000000000000000000000000001"
TWILIO = {"adapter": "twilio", "secrets": {"auth_token": TOKEN}, "settings": {"account_sid": ACCOUNT}}
SLACK = {
    "adapter": "slack",
    "secrets": {"signing_secret": SLACK_SECRET, "bot_token": "xoxb-1"},
    "settings": {},
}
MAP = {
    "each": "$.alerts[*]",
    "content": ["Alert:", "$.annotations.summary"],
    "external_id": "$.fingerprint",
    "thread": "$.labels.instance",
    "metadata": {"severity": "$.labels.severity"},
}
GENERIC = {"adapter": "generic", "secrets": {"signing_secret": WHSEC}, "settings": {"map": MAP}}


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes().strip()


def make_source(owner: Principal, adapter: str, secrets: dict[str, str], settings: dict[str, Any]) -> Source:
    """Of an integration that may do everything in the name of the owner."""
    integration = make_key_principal(owner, "*:*").integration
    assert isinstance(integration, Integration)
    source = Source(integration=integration, name="Line", adapter=adapter, settings=settings)
    source.secrets = secrets
    source.save()
    return source


def twilio_headers(url: str, body: bytes, token: str = TOKEN) -> dict[str, str]:
    """As Twilio documents it, written anew: the URL, then each field's name and value by name."""
    fields = sorted(set(parse_qsl(body.decode(), keep_blank_values=True)))
    text = url + "".join(name + value for name, value in fields)
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return {
        "x-twilio-signature": base64.b64encode(digest).decode(),
        "content-type": "application/x-www-form-urlencoded",
    }


def slack_headers(body: bytes, at: float | None = None, secret: str = SLACK_SECRET) -> dict[str, str]:
    timestamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), f"v0:{timestamp}:{body.decode()}".encode(), hashlib.sha256)
    return {"x-slack-request-timestamp": timestamp, "x-slack-signature": f"v0={digest.hexdigest()}"}


def standard_headers(body: bytes, at: float | None = None, secret: str = WHSEC) -> dict[str, str]:
    """By the vendors' own package."""
    from datetime import UTC, datetime

    when = datetime.fromtimestamp(time.time() if at is None else at, tz=UTC)
    signed = Webhook(secret).sign("msg_1", when, body.decode())
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(when.timestamp())),
        "webhook-signature": signed,
    }


def headers_for(source: Source, body: bytes) -> dict[str, str]:
    match source.adapter:
        case "twilio":
            return twilio_headers(source.address, body)
        case "slack":
            return slack_headers(body)
    return standard_headers(body)


def received(source: Source, body: bytes) -> Received:
    return Received(source.address, headers_for(source, body), body)


def post(client: Client, source: Source, body: bytes, headers: dict[str, str] | None = None) -> Any:
    sent = {
        name: value
        for name, value in (headers or headers_for(source, body)).items()
        if name != "content-type"
    }
    path = source.address[source.address.index("/in/") :]
    return client.post(path, body, content_type="application/octet-stream", headers=sent)


def texts(source: Source) -> list[str]:
    written = Message.objects.filter(integration=source.integration, author=Message.Author.INTEGRATION)
    return list(written.order_by("id").values_list("text", flat=True))


@dataclass
class Asked:
    """One request that a vendor's API got."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))


@dataclass
class Say:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class VendorAPI:
    """Answers requests in turn with `says`; the last one stays."""

    url: str
    says: list[Say]
    asked: list[Asked] = field(default_factory=list)

    def say(self) -> Say:
        return self.says.pop(0) if len(self.says) > 1 else self.says[0]


@contextmanager
def vendor_api(*says: Say) -> Iterator[VendorAPI]:
    """On a port of its own, until the block is left: then it is shut down, closed and joined."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(lambda: api))
    server.daemon_threads = False
    api = VendorAPI(f"http://127.0.0.1:{server.server_port}", list(says))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(api: Callable[[], VendorAPI]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            api().asked.append(Asked(self.command, self.path, headers, body))
            said = api().say()
            raw = said.body if isinstance(said.body, bytes) else json.dumps(said.body or {}).encode()
            self.send_response(said.status)
            for name, value in {"Content-Length": str(len(raw)), **said.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = answer  # noqa: N815 (as http.server calls them)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    return Handler
