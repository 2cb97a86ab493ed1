"""Starting and stopping the real processes."""

import json
import os
import shutil
import signal
import socket
from pathlib import Path

import httpx
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import Settings

from chatcore import embedded
from chatcore.embedded.places import Places
from chatcore.processes import preconditions
from tests.chatcore.commands import Command, postgres_pids, run
from tests.servers import RedisServer, free_port

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def used_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that was set up once; tests copy it, as migrating takes seconds."""
    folder = tmp_path_factory.mktemp("used")
    made = run(folder, "migrate")
    assert made.returncode == 0, made.stderr
    assert postgres_pids(folder) == []
    return folder


@pytest.fixture
def data(used_data: Path, tmp_path: Path) -> Path:
    shutil.copytree(used_data, tmp_path / "data")
    return tmp_path / "data"


def assert_one_line(output: str, *parts: str) -> None:
    lines = output.strip().splitlines()
    assert len(lines) == 1, output
    for part in parts:
        assert part in lines[0]


def test_the_first_start_says_how_to_begin_and_the_second_finds_everything(tmp_path: Path) -> None:
    data = tmp_path / "new folder"
    with Command(data, "up") as first:
        first.wait_for("Ctrl-C")
        assert first.url in first.output
        assert "Sign in as the owner, once: http://" in first.output
        assert "curl" in first.output
        assert first.wait_until_answered("/readyz").json()["status"] == "ready"
        assert first.end(signal.SIGINT) == 0
        assert "Traceback" not in first.output
    assert postgres_pids(data) == []
    with Command(data, "up") as second:
        second.wait_for("Ctrl-C")
        assert "Preparing" not in second.output
        assert "curl" not in second.output
        assert f"made at {second.url}/workspace/integrations/" in second.output
        assert second.end(signal.SIGTERM) == 0
    assert postgres_pids(data) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_open_streams_in_order_and_leaves_nothing_behind(data: Path, number: int) -> None:
    with Command(data, "up") as up, httpx.stream("GET", f"{up.url}/stream", timeout=60) as stream:
        lines = stream.iter_lines()
        assert next(lines) == str(up.process.pid)
        assert up.end(number) == 0
        assert list(lines) == ["ended"]
        assert "Traceback" not in up.output
    assert postgres_pids(data) == []


def test_a_request_that_does_not_end_is_cut(data: Path) -> None:
    with Command(data, "up") as up, httpx.stream("GET", f"{up.url}/hang", timeout=60) as hanging:
        lines = hanging.iter_lines()
        next(lines)
        assert up.end(signal.SIGTERM) == 0
        with pytest.raises(httpx.TransportError):
            list(lines)
    assert postgres_pids(data) == []


def test_a_second_interrupt_ends_at_once(data: Path) -> None:
    with Command(data, "up") as up, httpx.stream("GET", f"{up.url}/hang", timeout=60) as hanging:
        next(hanging.iter_lines())
        up.process.send_signal(signal.SIGINT)
        while up.answers("/healthz") is not None:
            pass
        assert up.end(signal.SIGINT) == 130
    with Command(data, "up") as again:
        assert again.end(signal.SIGINT) == 0


def test_after_a_kill_postgres_leaves_too_and_the_next_start_works(data: Path) -> None:
    with Command(data, "up") as up:
        (postgres,) = postgres_pids(data)
        up.end(signal.SIGKILL)
    with Command(data, "up") as again:
        assert postgres_pids(data) != [postgres]
        assert again.wait_until_answered("/readyz")
        assert again.end(signal.SIGINT) == 0


def test_beside_a_running_server_commands_use_it_and_another_is_refused(data: Path) -> None:
    with Command(data, "up") as up:
        second = run(data, "up", PORT=str(free_port()))
        assert second.returncode == 1
        assert_one_line(second.stderr, "already running", str(up.process.pid), "CHATCORE_DATA")
        assert run(data, "migrate").returncode == 0
        assert len(postgres_pids(data)) == 1
        assert up.end(signal.SIGINT) == 0


def test_a_command_brings_the_database_up_for_itself(data: Path) -> None:
    words = ["--email", "a@example.com", "--workspace", "Alone", "--key-name", "first", "--json"]
    made = run(data, "bootstrap", *words)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["key"]
    assert postgres_pids(data) == []


def test_a_postgres_that_died_is_started_again(data: Path) -> None:
    with Command(data, "up") as up:
        (postgres,) = postgres_pids(data)
        os.kill(postgres, signal.SIGKILL)
        up.wait_for("Postgres ended")
        up.wait_until_answered("/readyz")
        assert postgres_pids(data) not in ([], [postgres])
        assert up.end(signal.SIGINT) == 0


def test_a_taken_port_is_said_before_anything_is_begun(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = run(tmp_path / "data", "up", PORT=str(port))
    assert refused.returncode == 1
    assert_one_line(refused.stderr, f"port {port}", f"PORT={port + 1}")
    assert not (tmp_path / "data" / "postgres").exists()


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = run(tmp_path / "file" / "data", "up", PORT=str(free_port()))
    assert refused.returncode == 1
    assert_one_line(refused.stderr, str(tmp_path / "file" / "data"), "CHATCORE_DATA")


def test_a_database_nobody_serves_is_named(tmp_path: Path) -> None:
    url = f"postgresql://chatcore@127.0.0.1:{free_port()}/chatcore"
    refused = run(tmp_path, "up", PORT=str(free_port()), DATABASE_URL=url, SECRET_KEY="x" * 50)
    assert refused.returncode == 1
    assert "cannot use the database" in refused.stderr
    assert "DATABASE_URL" in refused.stderr.splitlines()[-1]
    assert "Traceback" not in refused.stderr


def test_a_wrong_password_is_named(data: Path) -> None:
    rules = Places(data).cluster / "pg_hba.conf"
    rules.write_text("local all visitor scram-sha-256\n" + rules.read_text())
    with embedded.Server(data, durable=False):
        url = f"postgresql://visitor:wrong@/chatcore?host={Places(data).sockets}"
        refused = run(data, "up", PORT=str(free_port()), DATABASE_URL=url, SECRET_KEY="x" * 50)
    assert refused.returncode == 1
    assert "password authentication failed" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_one_process_of_several_needs_redis(command: str) -> None:
    with pytest.raises(CommandError, match=r"chatcore\.E001: .* Set REDIS_URL, or .* manage\.py up"):
        call_command(command)


def test_a_redis_nobody_serves_is_named(settings: Settings) -> None:
    port = free_port()
    settings.REDIS_URL = f"redis://:secret@127.0.0.1:{port}/0"
    with pytest.raises(CommandError, match=f"cannot use Redis at 127.0.0.1:{port}: .* REDIS_URL") as caught:
        preconditions.layer()
    assert "secret" not in str(caught.value)


def test_a_worker_asks_for_missing_migrations(tmp_path: Path, redis_url: str) -> None:
    refused = run(tmp_path / "data", "worker", REDIS_URL=redis_url)
    assert refused.returncode == 1
    assert_one_line(refused.stderr, "manage.py migrate")
    assert postgres_pids(tmp_path / "data") == []


def test_web_and_worker_run_as_processes_of_their_own(data: Path, redis_url: str) -> None:
    with (
        embedded.Server(data, durable=False),
        Command(data, "worker", REDIS_URL=redis_url) as worker,
        Command(data, "serve", "--workers", "2", REDIS_URL=redis_url) as serve,
    ):
        serve.wait_until_answered("/readyz")
        pid = int(serve.wait_until_answered("/pid").text.split()[0])
        assert pid != serve.process.pid
        os.kill(pid, signal.SIGKILL)
        serve.wait_for("starting another")
        serve.wait_until_answered("/healthz")
        assert serve.end(signal.SIGTERM) == 0
        assert serve.answers("/healthz") is None
        assert worker.end(signal.SIGTERM) == 0


def test_readiness_says_which_part_is_missing(data: Path) -> None:
    redis_server = RedisServer()
    redis_server.start()
    with Command(data, "up", REDIS_URL=redis_server.url) as up:
        up.wait_until_answered("/readyz")
        redis_server.stop()
        answer = up.wait_until_answered("/readyz", status=503).json()
        assert answer["status"] == "not ready"
        assert answer["parts"] == {"database": "ok", "queue": "ok", "layer": "Redis cannot be reached"}
        assert up.wait_until_answered("/healthz").json() == {"status": "ok"}
        assert up.end(signal.SIGINT) == 0
