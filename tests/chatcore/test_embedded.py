"""The embedded Postgres, with real servers in folders of their own."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chatcore import embedded
from chatcore.embedded import account, cluster, privileges
from chatcore.embedded.places import Places

ROOT = os.geteuid() == 0
only_root = pytest.mark.skipif(not ROOT, reason="changes users, which only root may")
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="uses signals and rights of Linux")

HOLD = """
import sys
from pathlib import Path
from chatcore import embedded
with embedded.running(Path(sys.argv[1]), durable=False) as server:
    print(server.pid if server else 0, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def made_cluster() -> Iterator[Path]:
    """A data folder that was used once; tests copy it, as making one takes half a second."""
    folder = Path(tempfile.mkdtemp(prefix="chatcore-embedded-"))
    with embedded.Server(folder, durable=False):
        execute(folder, "create table kept as select 1 as number")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def data(made_cluster: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    shutil.copytree(made_cluster, folder)
    return folder


def connect(folder: Path) -> psycopg.Connection[Any]:
    where = embedded.connection_settings(folder)
    return psycopg.connect(
        host=where["HOST"],
        port=where["PORT"],
        user=where["USER"],
        dbname=where["NAME"],
        autocommit=True,
        **where["OPTIONS"],
    )


def execute(folder: Path, statement: str) -> Any:
    """The first value the statement gives, if any."""
    with connect(folder) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def holder(folder: Path) -> subprocess.Popen[str]:
    """Another process that keeps a server for the folder until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def told_pid(process: subprocess.Popen[str]) -> int:
    assert process.stdout
    return int(process.stdout.readline())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def capabilities(pid: int | None) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("CapEff:")), 16)


def test_the_second_start_finds_the_data(data: Path) -> None:
    with embedded.Server(data, durable=False):
        execute(data, "update kept set number = 2")
    with embedded.Server(data, durable=False):
        assert execute(data, "select number from kept") == 2


def test_a_new_folder_becomes_a_database_that_folds_every_letter(tmp_path: Path) -> None:
    with embedded.Server(tmp_path / "new" / "data"):
        assert execute(tmp_path / "new" / "data", "select lower('ÄRZTE ПРИВЕТ')") == "ärzte привет"
        found = "select to_tsvector('simple', 'ÄRZTE') @@ to_tsquery('simple', 'ärzte')"
        assert execute(tmp_path / "new" / "data", found) is True
        assert execute(tmp_path / "new" / "data", "show fsync") == "on"


def test_only_its_own_user_reaches_the_server(data: Path) -> None:
    with embedded.Server(data, durable=False):
        assert execute(data, "show listen_addresses") == ""
        assert mode(Places(data).sockets) == 0o700
        assert mode(Places(data).cluster) == 0o700
        assert mode(Places(data).log) == 0o600


def test_spaces_and_very_long_paths_work(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a folder 'with' \"quotes\"" / ("long" * 40) / "data"
    folder.parent.mkdir(parents=True)
    data.rename(folder)
    with embedded.Server(folder, durable=False):
        assert execute(folder, "select number from kept") == 1


def test_settings_start_nothing_and_are_the_same_by_every_name_of_the_folder(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    assert embedded.connection_settings(link) == embedded.connection_settings(tmp_path / "real")
    assert not (tmp_path / "real").exists()


def test_a_second_start_says_who_is_first(data: Path) -> None:
    first = holder(data)
    told_pid(first)
    with pytest.raises(embedded.AlreadyRunningError) as caught:
        embedded.Server(data, durable=False).start()
    assert caught.value.pid == first.pid
    assert str(first.pid) in str(caught.value)
    first.communicate()


def test_a_command_uses_the_server_that_is_up(data: Path) -> None:
    with embedded.Server(data, durable=False):
        with embedded.running(data, durable=False) as server:
            assert server is None
        assert execute(data, "select number from kept") == 1


def test_of_two_starts_at_once_one_serves_both(tmp_path: Path) -> None:
    processes = [holder(tmp_path / "data") for _ in range(2)]
    pids = sorted(told_pid(process) for process in processes)
    assert pids[0] == 0 < pids[1]
    assert execute(tmp_path / "data", "select 1") == 1
    for process in processes:
        process.communicate()


def test_a_command_that_runs_the_server_waits_for_those_that_use_it(data: Path) -> None:
    owner = holder(data)
    assert told_pid(owner) > 0
    guest = holder(data)
    assert told_pid(guest) == 0
    assert owner.stdin
    owner.stdin.close()
    with pytest.raises(subprocess.TimeoutExpired):
        owner.wait(0.5)
    assert execute(data, "select number from kept") == 1
    guest.communicate()
    assert owner.wait(30) == 0
    assert owner.stdout
    owner.stdout.close()


@only_linux
def test_postgres_ends_with_a_parent_that_is_killed(data: Path) -> None:
    parent = holder(data)
    pid = told_pid(parent)
    parent.kill()
    parent.communicate()
    with embedded.Server(data, durable=False) as server:  # waits for the old one to leave
        assert server.pid != pid
        assert not cluster.serves(pid, Places(data))
        assert execute(data, "select number from kept") == 1


@pytest.mark.parametrize("ended", [False, True], ids=["living", "zombie"])
def test_a_stranger_with_the_noted_pid_does_not_pass_for_the_server(data: Path, ended: bool) -> None:
    """Postgres itself refuses to start while any process of its user bears that pid."""
    server = embedded.Server(data, durable=False)
    server.start()
    note = Places(data).pid_file.read_text().splitlines(keepends=True)
    owner = Places(data).cluster.stat()
    server.stop()
    stranger = subprocess.Popen(
        ["/bin/sleep", "0" if ended else "60"],
        user=owner.st_uid if ROOT else None,
        group=owner.st_gid if ROOT else None,
    )
    if ended:
        os.waitid(os.P_PID, stranger.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet reaped
    Places(data).pid_file.write_text("".join([f"{stranger.pid}\n", *note[1:]]))
    with embedded.Server(data, durable=False):
        assert execute(data, "select number from kept") == 1
    stranger.kill()
    stranger.wait()


def test_a_torn_pid_file_is_no_obstacle(data: Path) -> None:
    Places(data).pid_file.write_text("")
    with embedded.Server(data, durable=False):
        assert execute(data, "select number from kept") == 1


def test_a_server_that_was_killed_is_launched_again(data: Path) -> None:
    with embedded.Server(data, durable=False) as server:
        assert server.pid
        os.kill(server.pid, signal.SIGKILL)
        os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
        assert not server.alive
        server.launch()
        server.wait_until_ready()
        assert execute(data, "select number from kept") == 1


def test_what_a_killed_first_start_left_is_made_anew(tmp_path: Path) -> None:
    half = Places(tmp_path).draft
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    with embedded.Server(tmp_path, durable=False):
        assert execute(tmp_path, "select 1") == 1
    assert not half.exists()


def test_data_of_another_release_is_refused_in_words(data: Path) -> None:
    (Places(data).cluster / "PG_VERSION").write_text("16\n")
    with pytest.raises(embedded.EmbeddedError, match=r"written by Postgres 16, this is Postgres 18"):
        embedded.Server(data).start()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(embedded.EmbeddedError, match="CHATCORE_DATA"):
        embedded.Server(tmp_path / "file" / "data").start()


def test_what_postgres_complains_about_is_passed_on(data: Path) -> None:
    (Places(data).cluster / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(embedded.EmbeddedError, match=r"configuration file .* contains errors"):
        embedded.Server(data).start()
    with pytest.raises(embedded.EmbeddedError, match="did not start"):  # the lock was given back
        embedded.Server(data).start()


@only_root
def test_a_socket_folder_of_somebody_else_is_refused(data: Path) -> None:
    trap = Places(data).sockets
    trap.mkdir()
    os.chown(trap, 54321, 54321)
    try:
        with pytest.raises(embedded.EmbeddedError, match="belongs to somebody else"):
            embedded.Server(data).start()
    finally:
        trap.rmdir()


@only_root
def test_the_server_gives_up_every_right_where_folders_are_open(made_cluster: Path) -> None:
    made_cluster.chmod(0o755)
    with embedded.Server(made_cluster, durable=False) as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid == Places(made_cluster).cluster.stat().st_uid != 0
        assert capabilities(server.pid) == 0


@only_root
@only_linux
def test_below_a_closed_folder_the_server_keeps_one_right_and_the_folder_stays_closed(
    data: Path, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    with embedded.Server(data, durable=False) as server:
        allowed = {1 << privileges.CAP_DAC_READ_SEARCH, 1 << privileges.CAP_DAC_OVERRIDE}
        assert capabilities(server.pid) in allowed
        assert execute(data, "select number from kept") == 1
    assert mode(tmp_path) == 0o700


@only_root
def test_without_that_right_the_advice_is_clear(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privileges, "held", frozenset)
    with pytest.raises(embedded.EmbeddedError, match="Start Chatcore as an ordinary user"):
        embedded.Server(data).start()


@only_root
def test_a_backup_restored_by_root_is_handed_to_the_servers_user(data: Path) -> None:
    assert Places(data).cluster.stat().st_uid == 0
    with embedded.Server(data, durable=False):
        user = account.identity(Places(data))
        assert user
        assert (Places(data).cluster / "PG_VERSION").stat().st_uid == user.uid
