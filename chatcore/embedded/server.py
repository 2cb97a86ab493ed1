"""The running Postgres: who starts it, how long it lives, and how it ends."""

import contextlib
import os
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import IO, Self

import psycopg

from chatcore.embedded import account, cluster, lock, privileges
from chatcore.embedded.errors import EmbeddedError, unusable
from chatcore.embedded.places import DATABASE, PORT, SOCKET_PATH_LIMIT, USER, Places, binary

START_SECONDS = 60.0  # recovery after a crash can take its time
STOP_SECONDS = 10.0
LOG_BYTES = 10 * 1024 * 1024
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_prepared_transactions": "0",
    "synchronous_commit": "on",
    "fsync": "on",
    # An idle writer holds back what readers of the event log may see.
    "idle_in_transaction_session_timeout": "10s",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] ",
}
# For throw-away data, as in tests: many installations share one such server.
CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "400"}


class Server:
    """A Postgres that is our child. Start it from a thread that lives on: Postgres ends with it (Linux)."""

    def __init__(self, data_folder: Path, *, durable: bool = True) -> None:
        self.places = Places(data_folder)
        self.durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    def start(self) -> None:
        """Raises AlreadyRunningError when another process holds the folder, EmbeddedError otherwise."""
        self._lock = lock.own(self.places)
        try:
            self.launch()
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def launch(self) -> None:
        """Start the process and return; the lock must be held. Called again to replace a server that died."""
        identity = account.identity(self.places)
        cluster.prepare(self.places, identity, durable=self.durable)
        _claim_socket_folder(self.places, identity)
        with _opened_log(self.places) as log:
            self._log_start = log.tell()
            try:
                self._process = subprocess.Popen(  # noqa: S603 (our own words)
                    _command(self.places, SETTINGS if self.durable else SETTINGS | CARELESS),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    env=cluster.ENVIRONMENT,
                    start_new_session=True,  # Ctrl-C in the terminal is for us alone
                    preexec_fn=privileges.transition(identity),  # noqa: PLW1509
                )
            except subprocess.SubprocessError:
                raise EmbeddedError(
                    "this system does not let us start Postgres as another user. "
                    "Start Chatcore as an ordinary user, or set DATABASE_URL to a Postgres of yours."
                ) from None

    def wait_until_ready(self) -> None:
        """Blocks until the database takes connections; relaunches while backends of an old server leave."""
        deadline = time.monotonic() + START_SECONDS
        while not reachable(self.places):
            late = time.monotonic() > deadline
            if not self.alive:
                reason = self._complaint()
                if late or "pre-existing shared memory" not in reason:
                    raise EmbeddedError(f"Postgres did not start: {reason}. See {self.places.log}.")
                time.sleep(0.2)
                self.launch()
            elif late:
                raise EmbeddedError(f"Postgres is not ready after a minute. See {self.places.log}.")
            time.sleep(0.01)
        _create_database(self.places)

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def interrupt(self) -> None:
        """Tell it to end and wait for nothing."""
        if self._process and self.alive:
            self._process.send_signal(signal.SIGINT)

    def stop(self) -> None:
        """Fast shutdown, then harder ones; the folder is free for others afterwards."""
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if not self.alive:
                break
            assert self._process is not None
            self._process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        if self._process:
            with contextlib.suppress(OSError):
                self.places.sockets.rmdir()
        if self._lock:
            self._lock.close()
            self._lock = None

    def _complaint(self) -> str:
        """The last fatal line Postgres wrote since this start."""
        with self.places.log.open(errors="replace") as log:
            log.seek(self._log_start)
            lines = [line.strip() for line in log]
        fatal = [line for line in lines if "FATAL" in line or "PANIC" in line]
        told = [line for line in fatal if "the database system is" not in line] or lines
        return told[-1].rpartition("FATAL:")[2].strip() if told else "it gave no reason"


def _command(places: Places, settings: dict[str, str]) -> list[str]:
    command = [str(binary("postgres")), "-D", str(places.cluster)]
    for name, value in (settings | {"unix_socket_directories": f'"{places.sockets}"'}).items():
        command += ["-c", f"{name}={value}"]
    return command


def reachable(places: Places) -> bool:
    try:
        _connect(places).close()
    except psycopg.OperationalError:
        return False
    return True


def _claim_socket_folder(places: Places, identity: privileges.Identity | None) -> None:
    """Make it, or take the one of the last start; somebody else's could be a trap and is refused."""
    folder, owner = places.sockets, identity.uid if identity else os.geteuid()
    if len(os.fsencode(folder / f".s.PGSQL.{PORT}")) > SOCKET_PATH_LIMIT:
        raise EmbeddedError(f"the socket folder {folder} has too long a name. Make /tmp writable.")
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        status = folder.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid in (owner, os.geteuid()):
            folder.chmod(0o700)
            os.chown(folder, owner, -1)
            return
    except OSError as error:
        raise unusable(folder, error) from None
    raise EmbeddedError(
        f"{folder} belongs to somebody else. Remove it; it is only for the socket of Postgres."
    )


def _opened_log(places: Places) -> IO[bytes]:
    try:
        if places.log.exists() and places.log.stat().st_size > LOG_BYTES:
            places.log.rename(places.log.with_suffix(".log.1"))
        return os.fdopen(os.open(places.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
    except OSError as error:
        raise unusable(places.log, error) from None


def _connect(places: Places) -> psycopg.Connection:
    return psycopg.connect(
        host=str(places.sockets), port=PORT, user=USER, dbname="postgres", autocommit=True, connect_timeout=10
    )


def _create_database(places: Places) -> None:
    with _connect(places) as connection:
        found = connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone()
        if not found:
            connection.execute(f'create database "{DATABASE}"')
