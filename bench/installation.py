"""A whole Chatcore to measure: a durable Postgres, a fake model provider over HTTP, and the real commands.

Importing it hides the environment of whoever runs it, as the tests do: see tests/servers.py.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from chatcore import embedded
from tests.running import ROOT, Chatcore
from tests.servers import data_folder

FURNISH = """
from chatcore.llm.models import Deployment, Model, Provider
kind, address, options, names = {given!r}
provider = Provider.objects.create(
    kind=kind, name=kind, base_url=address + "/v1", credential="sk-unused", options=options
)
for name, upstream_name in names.items():
    model = Model.objects.create(name=name, label=name)
    Deployment.objects.create(model=model, provider=provider, upstream_name=upstream_name)
"""


@contextmanager
def postgres() -> Iterator[embedded.Server]:
    """A durable Postgres (fsync on) on an empty folder, for everything that is started within."""
    with embedded.Server(data_folder(), durable=True) as server:
        yield server


@contextmanager
def upstream() -> Iterator[str]:
    """The address of a fake provider in a process of its own; tests/upstreams says what its models answer."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.upstreams"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def add_models(chatcore: Chatcore, kind: str, address: str, names: dict[str, str], **options: object) -> None:
    """Models of one provider at `address`: their names here, and the names it knows them by."""
    chatcore.manage("shell", "--no-imports", "-c", FURNISH.format(given=(kind, address, options, names)))


def environment(redis_url: str) -> dict[str, str]:
    """For a process that is set up as Chatcore's are, and uses no database."""
    return os.environ | {"REDIS_URL": redis_url, "CHATCORE_NO_DETECT": "1"}
