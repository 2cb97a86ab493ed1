"""Connections that nothing is said on."""

import http.client
import time
from urllib.parse import urlsplit

from tests.running import Chatcore

LONGER_THAN_CLIENTS_KEEP_ONE = 6.0  # httpx: five seconds


def test_an_idle_connection_is_the_clients_to_close(one: Chatcore) -> None:
    wire = http.client.HTTPConnection(urlsplit(one.url).netloc, timeout=10)
    for pause in (0, LONGER_THAN_CLIENTS_KEEP_ONE):
        time.sleep(pause)
        wire.request("POST", "/api/v1/conversations/", b"{}", {"Authorization": f"Bearer {one.key}"})
        assert wire.getresponse().read()
        wire.auto_open = 0  # the next one goes over the same connection, or fails
    wire.close()
