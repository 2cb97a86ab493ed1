"""The folder Postgres keeps its data in: made once, checked before every start."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from chatcore.embedded import privileges
from chatcore.embedded.errors import EmbeddedError, unusable
from chatcore.embedded.places import MAJOR, USER, Places, binary
from chatcore.embedded.privileges import Identity

LEAVE_SECONDS = 30.0
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
CREATE = [
    # Without a Unicode locale lower() and search would not fold letters beyond ASCII. This one is built in.
    *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    *("--auth-local=trust", "--auth-host=reject", "--no-instructions", f"--username={USER}"),
]


def prepare(places: Places, identity: Identity | None, *, durable: bool) -> None:
    """Make the cluster if there is none; whatever stands in the way of a start is said or put right."""
    try:
        if not places.cluster.exists():
            _create(places, identity, durable=durable)
        _check_version(places.cluster)
        _hand_over(places.cluster, identity)
        _end_orphan(places)
        _disown_stale_pid(places)
    except OSError as error:
        raise unusable(places.data, error) from None


def _create(places: Places, identity: Identity | None, *, durable: bool) -> None:
    shutil.rmtree(places.draft, ignore_errors=True)
    places.draft.mkdir(mode=0o700)
    if identity:
        os.chown(places.draft, identity.uid, identity.gid)
    command = [str(binary("initdb")), *CREATE, *([] if durable else ["--no-sync"]), str(places.draft)]
    done = spawn_and_wait(command, identity)
    if done.returncode != 0:
        shutil.rmtree(places.draft, ignore_errors=True)
        reason = " ".join(line for line in done.stderr.splitlines() if "error:" in line or "FATAL" in line)
        raise EmbeddedError(f"no database could be made in {places.data}: {reason or done.stderr.strip()}")
    places.draft.rename(places.cluster)


def spawn_and_wait(command: list[str], identity: Identity | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (our own words)
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        env=ENVIRONMENT,
        preexec_fn=privileges.transition(identity),
    )


def _check_version(cluster: Path) -> None:
    path = cluster / "PG_VERSION"
    if not path.exists():
        raise EmbeddedError(
            f"{cluster} holds no Postgres data. Move it away, or restore it from your backup."
        )
    found = path.read_text().strip()
    if found != str(MAJOR):
        raise EmbeddedError(
            f"{cluster} was written by Postgres {found}, this is Postgres {MAJOR}. "
            f"Dump it with the release that wrote it and restore the dump into a new data folder."
        )


def _hand_over(cluster: Path, identity: Identity | None) -> None:
    """Files restored by root belong to root; Postgres wants its own, and nobody else reading them."""
    cluster.chmod(0o700)
    if identity is None or cluster.stat().st_uid == identity.uid:
        return
    for folder, _, files in os.walk(cluster):
        for path in (Path(folder), *(Path(folder) / name for name in files)):
            os.chown(path, identity.uid, identity.gid, follow_symlinks=False)


def _end_orphan(places: Places) -> None:
    """A server of this cluster while we hold the lock has lost its parent: it is leaving, or is told to."""
    deadline = time.monotonic() + LEAVE_SECONDS
    pid = noted_pid(places)
    if pid is None or not serves(pid, places):
        return
    os.kill(pid, signal.SIGINT)
    while serves(pid, places):
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"the Postgres of an earlier start (process {pid}) does not end. Stop it by hand."
            )
        time.sleep(0.02)


def _disown_stale_pid(places: Places) -> None:
    """Let no unrelated process pass for our server.

    Postgres takes any living process of its user that bears the noted pid for a running server. It makes an
    exception for its own parent, so that is what we write; the note on shared memory stays, and with it the
    check that no backend of the old server is left.
    """
    pid = noted_pid(places)
    if pid is None or serves(pid, places):
        return
    lines = places.pid_file.read_text().splitlines(keepends=True)
    places.pid_file.write_text("".join([f"{os.getpid()}\n", *lines[1:]]))


def noted_pid(places: Places) -> int | None:
    """The pid in postmaster.pid; an empty or torn file is removed, as Postgres would refuse it."""
    try:
        return int(places.pid_file.read_text().splitlines()[0])
    except FileNotFoundError:
        return None
    except (ValueError, IndexError):
        places.pid_file.unlink(missing_ok=True)
        return None


def serves(pid: int, places: Places) -> bool:
    """Is this a living Postgres of this very cluster? A zombie has no command line left."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
        command = ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]
        listed = subprocess.run(command, check=False, capture_output=True).stdout  # noqa: S603 (a number)
        return os.fsencode(places.cluster) in listed
    except OSError:
        return False
    return os.fsencode(places.cluster) in words
