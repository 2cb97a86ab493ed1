"""A whole Chatcore for tests: the real commands as processes, in the one-process form or as web and worker."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx
import psycopg

from chatcore import embedded
from tests.servers import data_folder, free_port

ROOT = Path(__file__).resolve().parent.parent
OWNER, PASSWORD = "owner@example.com", "correct horse battery staple"
START_SECONDS = 90
STOP_SECONDS = 60

TEMPLATE = "live_template"
FURNISH = """
from chatcore.accounts.bootstrap import ensure
from chatcore.llm.models import Deployment, Model, Provider
print(ensure({owner!r}, {password!r}, "Home", "tests").key_text)
for name, script in {scripts!r}.items():
    provider = Provider.objects.create(kind="scripted", name=name, options={{"script": script}})
    model = Model.objects.create(name=name, label=name.title())
    limits = {limits!r}.get(name, {{}})
    Deployment.objects.create(model=model, provider=provider, upstream_name=name, **limits)
"""


@dataclass
class Chatcore:
    """One installation with its own database. `scripts` become models of that name, see chatcore.llm.scripted;
    `limits` are those of their deployments.

    With `redis_url` it runs as `webs` web and `workers` worker processes, else as one process.
    """

    scripts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    limits: dict[str, dict[str, int]] = field(default_factory=dict)
    redis_url: str = ""
    webs: int = 1
    workers: int = 1
    environment: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chatcore-live-"))
        self.database = f"live_{uuid.uuid4().hex[:12]}"
        self.ports = [free_port() for _ in range(self.webs)]
        self.url = self.urls[0]
        self.key = ""
        self._log: IO[bytes] = (self.folder / "log").open("ab")

    @property
    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def __enter__(self) -> "Chatcore":
        self._create_database()
        furnish = FURNISH.format(owner=OWNER, password=PASSWORD, scripts=self.scripts, limits=self.limits)
        self.key = self.manage("shell", "--no-imports", "-c", furnish).strip()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        for name in tuple(self.processes):
            self.stop(name)
        self._log.close()
        with administration() as connection:
            connection.execute(f"drop database {self.database} with (force)")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _create_database(self) -> None:
        """A copy of one that was migrated once for the whole run."""
        with administration() as connection:
            connection.execute("select pg_advisory_lock(1)")
            if not connection.execute("select 1 from pg_database where datname = %s", [TEMPLATE]).fetchone():
                connection.execute(f"create database {TEMPLATE}")
                wanted, self.database = self.database, TEMPLATE
                self.manage("migrate", "--verbosity", "0")
                self.database = wanted
            connection.execute(f"create database {self.database} template {TEMPLATE}")

    def start(self) -> None:
        """Start what does not run yet, and wait until it answers."""
        if not self.redis_url:
            self._spawn("up", self.ports[0], "up")
        for number, port in enumerate(self.ports):
            if self.redis_url:
                self._spawn(f"web{number}", port, "serve")
        for number in range(self.workers):
            if self.redis_url:
                self._spawn(f"worker{number}", 0, "worker")
        for url in self.urls:
            self._wait_for(f"{url}/readyz")

    def stop(self, name: str) -> int:
        process = self.processes.pop(name)
        process.terminate()
        return process.wait(STOP_SECONDS)

    def kill(self, name: str) -> None:
        """SIGKILL: no chance to tidy up."""
        process = self.processes.pop(name)
        process.kill()
        process.wait(STOP_SECONDS)

    def client(self, number: int = 0, **headers: str) -> httpx.Client:
        """An API client with the owner's key. No certificates: to read them takes longer than most requests."""
        sent = {"Authorization": f"Bearer {self.key}"} | headers
        return httpx.Client(base_url=self.urls[number], headers=sent, timeout=60, verify=False)

    def connect(self) -> psycopg.Connection[Any]:
        """To its database; each statement is committed by itself."""
        return _connected(self.database)

    def manage(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=self._environment(0),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def _spawn(self, name: str, port: int, *words: str) -> None:
        if name not in self.processes:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "manage.py", *words],
                cwd=ROOT,
                env=self._environment(port),
                stdout=self._log,
                stderr=self._log,
            )

    def _environment(self, port: int) -> dict[str, str]:
        where = embedded.connection_settings(data_folder())
        address = f"postgresql://{where['USER']}@/{self.database}?host={where['HOST']}"
        ours = {
            "DATABASE_URL": address,
            "REDIS_URL": self.redis_url,
            "PORT": str(port or 8000),
            "HOST": "127.0.0.1",
            # A script that fails is played again each time it is asked for.
            "MODEL_BREAKER_SECONDS": "0.001",
            "MODEL_BREAKER_LONGEST": "0.001",
            # All the tests of a run come from one address, and many try credentials that do not hold.
            "RATE_LIMIT_ADDRESS": "100000",
        }
        switches = {"SCRIPTED_PROVIDER": "1", "CHATCORE_NO_DETECT": "1", "CHATCORE_DATA": str(self.folder)}
        return os.environ | ours | switches | self.environment

    def _wait_for(self, url: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        with httpx.Client(timeout=5, verify=False) as http:
            while time.monotonic() < deadline:
                ended = [name for name, process in self.processes.items() if process.poll() is not None]
                assert not ended, f"{ended} ended:\n{self.log}"
                with suppress(httpx.TransportError):
                    if http.get(url).status_code == 200:
                        return
                time.sleep(0.05)
        raise AssertionError(f"{url} does not answer:\n{self.log}")


def administration() -> psycopg.Connection[Any]:
    return _connected("postgres")


def _connected(database: str) -> psycopg.Connection[Any]:
    where = embedded.connection_settings(data_folder())
    return psycopg.connect(host=where["HOST"], user=where["USER"], dbname=database, autocommit=True)
