"""B13: `manage.py up` from the command to the first 200 of /readyz, with its own Postgres, on a folder used before.

The baseline is what every command of Django pays with our settings: `django.setup()` in a process of its own.
"""

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from statistics import median

from bench.figure import Figure
from tests.running import ROOT
from tests.servers import free_port

STARTS = 5
GOAL_SECONDS = 4.0
LONGEST_SECONDS = 60.0
LOOK_SECONDS = 0.01
SETUP = "import django; django.setup()"


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="chatcore-bench-", ignore_cleanup_errors=True) as folder:
        environment = _environment(folder)
        first = _start(environment)
        pairs = [(_start(environment), _setup(environment)) for _ in range(STARTS)]
    value, baseline = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
    goal, met = f"<= {GOAL_SECONDS:g} s", value <= GOAL_SECONDS
    return [
        Figure("B13 up until ready, second start", value, "s", baseline, value / baseline, goal, met),
        Figure("B13 up until ready, first start of all", first, "s", baseline, first / baseline, "", None),
    ]


def _environment(folder: str) -> dict[str, str]:
    ours = {
        "CHATCORE_DATA": folder,
        "CHATCORE_NO_DETECT": "1",
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
        "DJANGO_SETTINGS_MODULE": "chatcore.settings",
    }
    return dict(os.environ) | ours


def _start(environment: Mapping[str, str]) -> float:
    """Seconds until it is ready; it is stopped then."""
    begin = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "manage.py", "up"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    ) as process:
        try:
            while not _ready(f"http://127.0.0.1:{environment['PORT']}/readyz"):
                assert process.poll() is None, "it ended"
                assert time.perf_counter() - begin < LONGEST_SECONDS, "it does not become ready"
                time.sleep(LOOK_SECONDS)
            return time.perf_counter() - begin
        finally:
            process.terminate()


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=LONGEST_SECONDS) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def _setup(environment: Mapping[str, str]) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", SETUP], cwd=ROOT, env=environment, check=True)
    return time.perf_counter() - begin
