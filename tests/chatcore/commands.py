"""Runs manage.py as a process of its own, in a data folder of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.servers import free_port

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 90.0


def environment(data: Path, **changes: str) -> dict[str, str]:
    own = {"CHATCORE_DATA": str(data), "DJANGO_SETTINGS_MODULE": "tests.chatcore.process_settings"}
    return os.environ | own | changes


def run(data: Path, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """A command to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        check=False,
        cwd=ROOT,
        env=environment(data, **changes),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


class Command:
    """A command that runs until told to stop; `with` waits for its first line and kills what is left at the end."""

    def __init__(self, data: Path, *words: str, **changes: str) -> None:
        self.data, self.words, self.changes = data, words, changes
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "Command":
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", *self.words],
            cwd=ROOT,
            env=environment(self.data, PORT=str(self.port), **self.changes),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""
        try:
            self.wait_for("running", "Serving")
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait_for(self, *words: str) -> None:
        """Read on until a line says one of these."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.output += line
            if any(word in line for word in words):
                return
        raise AssertionError(f"ended without saying {words}: {self.output}")

    def end(self, signal_number: int) -> int:
        """Send the signal, read what is still said, and give the exit code."""
        self.process.send_signal(signal_number)
        self.output += self.process.communicate(timeout=PATIENCE)[0]
        return self.process.returncode

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def answers(self, path: str) -> httpx.Response | None:
        try:
            return httpx.get(self.url + path, timeout=10, verify=False)
        except httpx.TransportError:
            return None

    def wait_until_answered(self, path: str, status: int = 200) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            response = self.answers(path)
            if response is not None and response.status_code == status:
                return response
            time.sleep(0.05)
        raise AssertionError(f"{path} did not answer {status}")


def postgres_pids(data: Path) -> list[int]:
    """The servers of this data folder. Their own processes are named otherwise, but for a moment after they begin."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,ppid=,args="], check=True, capture_output=True, text=True
    ).stdout
    wanted = f" -D {data.resolve() / 'postgres'} "
    parents = {
        int(pid): int(parent) for pid, parent, args in map(_columns, listed.splitlines()) if wanted in args
    }
    return [pid for pid, parent in parents.items() if parent not in parents]


def _columns(line: str) -> list[str]:
    return line.split(maxsplit=2)
