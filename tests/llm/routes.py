"""Routes past upstreams: a model of several deployments, and somebody who asks it."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from typing import Any

import pytest
import pytest_asyncio

from chatcore.llm import breakers, line, routing
from chatcore.llm.attempts import Attempt
from chatcore.llm.models import Model
from chatcore.llm.traffic import DeploymentHealth
from chatcore.llm.types import ModelRequest, TextDelta, Turn
from chatcore.offload import offload
from tests.llm.factories import make_deployment, make_model, make_provider
from tests.servers import free_port
from tests.upstreams.server import Upstream

REQUEST = ModelRequest("", (Turn("user", "Hello?"),))
GOOD = "Hello from the upstream"


@pytest.fixture
def dead() -> str:
    """An address where nobody listens."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def second() -> Iterator[Upstream]:
    server = Upstream()
    server.start()
    yield server
    server.stop()


@pytest_asyncio.fixture
async def asked() -> AsyncIterator["Asked"]:
    yield Asked()
    await line.shared().settled()


class Asked:
    """Asks a model and remembers what was heard on the way."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.text = ""
        self.restarts: list[str] = []

    async def __call__(self, model: Model, *, restarts: bool = True) -> str:
        self.text = ""
        events = routing.answer(
            model.pk,
            REQUEST,
            on_attempt=self.attempts.append,
            on_restart=self._restart if restarts else None,
        )
        async with aclosing(events):
            async for event in events:
                if isinstance(event, TextDelta):
                    self.text += event.text
        return self.text

    async def _restart(self) -> None:
        self.restarts.append(self.text)
        self.text = ""

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        return [(each.provider, each.outcome) for each in self.attempts]


async def model_of(*upstreams: tuple[str, str, str], **fields: Any) -> Model:
    """A model that asks in this order: (name, address, the upstream's model)."""

    def made() -> Model:
        model = make_model()
        for priority, (name, address, upstream_name) in enumerate(upstreams):
            provider = make_provider("openai", name=name, base_url=f"{address}/v1", credential="sk-x")
            make_deployment(model, provider, upstream_name=upstream_name, priority=priority, **fields)
        return model

    return await offload(made)


async def health(name: str) -> DeploymentHealth | None:
    found = DeploymentHealth.objects.filter(deployment__provider__name=name)
    return await offload(found.first)


async def is_open(name: str) -> bool:
    return breakers.is_open(await health(name))


@contextmanager
def deaf() -> Iterator[str]:
    """An address that takes no connection: the queue of those it has not accepted is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as waiting:
        for _ in range(2):
            knocking = waiting.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
