"""Which user of the machine Postgres runs as. It refuses root; for anybody else it is who we are."""

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from chatcore.embedded import privileges
from chatcore.embedded.errors import EmbeddedError
from chatcore.embedded.places import Places, binary
from chatcore.embedded.privileges import Identity

OWN_NAME = "chatcore"


def identity(places: Places) -> Identity | None:
    """The user to become; None when we are not root and Postgres runs as ourselves."""
    if os.geteuid() != 0:
        _refuse_foreign(places.cluster)
        return None
    user = _owner(places.cluster) or _system_user()
    blocked = [path for path in (places.cluster, binary("postgres")) if not _reachable(path.parent, user)]
    if not blocked:
        return user
    return Identity(user.uid, user.gid, _capability(blocked[0], user))


def _refuse_foreign(cluster: Path) -> None:
    if cluster.exists() and cluster.stat().st_uid != os.geteuid():
        raise EmbeddedError(
            f"{cluster} belongs to user {_name(cluster.stat().st_uid)}. "
            "Run as that user, or set CHATCORE_DATA to a folder of your own."
        )


def _owner(cluster: Path) -> Identity | None:
    """Who owns the existing cluster; root does after restoring a backup, and then it is handed over."""
    if not cluster.exists():
        return None
    status = cluster.stat()
    return Identity(status.st_uid, status.st_gid) if status.st_uid else None


def _system_user() -> Identity:
    for name in ("postgres", OWN_NAME):
        if found := _passwd(name):
            return found
    return _created() or _passwd("nobody") or Identity(65534, 65534)


def _created() -> Identity | None:
    program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if program is None:
        return None
    command = [program, "--system", "--no-create-home", "--shell", "/bin/false", OWN_NAME]
    subprocess.run(command, check=False, capture_output=True)  # noqa: S603 (fixed words)
    return _passwd(OWN_NAME)


def _passwd(name: str) -> Identity | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Identity(entry.pw_uid, entry.pw_gid)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _reachable(folder: Path, user: Identity) -> bool:
    """May the user go through every folder on the way? (By mode bits; access lists are not looked at.)"""
    return all(_may_enter(step.stat(), user) for step in (folder, *folder.parents) if step.exists())


def _may_enter(status: os.stat_result, user: Identity) -> bool:
    if status.st_uid == user.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == user.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _capability(blocked: Path, user: Identity) -> int:
    """The right to pass closed folders, so that we need not open them to everybody on the machine."""
    held = privileges.held()
    for capability in (privileges.CAP_DAC_READ_SEARCH, privileges.CAP_DAC_OVERRIDE):
        if {capability, privileges.CAP_SETPCAP} <= held:
            return capability
    raise EmbeddedError(
        f"Postgres cannot run as root, and user {_name(user.uid)} may not enter the folders above {blocked}. "
        "Start Chatcore as an ordinary user, set CHATCORE_DATA to a folder that user can reach "
        "(for example /var/lib/chatcore), or set DATABASE_URL to a Postgres of yours."
    )
