"""docs/webhooks.md does what it says: its receiver answers the challenge, takes what is signed and nothing else."""

import asyncio
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest

from external.models import Delivery
from external.webhooks.challenge import ask
from tests.external.factories import make_delivery, make_webhook
from tests.external.receivers import Receiver
from tests.external.sending import deliver
from tests.factories import make_principal

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "webhooks.md"


def receiver_of_the_guide(secret: str) -> Callable[[dict[str, str], bytes], tuple[int, bytes]]:
    (source,) = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert source.count("whsec_…") == 1
    names: dict[str, Any] = {}
    exec(source.replace("whsec_…", secret), names)
    receive: Callable[[dict[str, str], bytes], tuple[int, bytes]] = names["receive"]
    return receive


@pytest.mark.django_db
def test_the_receiver_of_the_guide(receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    webhook = make_webhook(make_principal(), receiver.url)
    receive = receiver_of_the_guide(webhook.secret)

    def answer(handler: BaseHTTPRequestHandler, _: threading.Event) -> None:
        request = receiver.requests[-1]
        status, body = receive(request.headers, request.body)
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    receiver.write = answer
    assert asyncio.run(ask(webhook, (webhook.secret,))) == ""

    delivery = make_delivery(webhook, body='{"type":"message.created","data":{"text":"Hello"}}')
    deliver(delivery.due_at)
    assert Delivery.objects.get(pk=delivery.pk).status == "delivered"
    assert capsys.readouterr().out == f"{delivery.id} message.created {{'text': 'Hello'}}\n"

    real = receiver.requests[-1]
    forged = httpx.post(
        receiver.url, headers=real.headers, content=real.body.replace(b"Hello", b"Howdy"), timeout=60
    )
    assert forged.status_code == 401
