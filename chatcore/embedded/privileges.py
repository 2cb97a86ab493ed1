"""What a child process gives up and keeps before it becomes Postgres (Linux: capabilities(7), prctl(2))."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAP_SETPCAP = 8


@dataclass(frozen=True)
class Identity:
    """Who Postgres runs as; `capability` is kept to reach files below folders this user may not enter."""

    uid: int
    gid: int
    capability: int | None = None


def held() -> frozenset[int]:
    """The capabilities in effect for this process; none where the system has no such thing."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return frozenset()
    mask = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    bits = int(mask, 16)
    return frozenset(number for number in range(bits.bit_length()) if bits >> number & 1)


def transition(identity: Identity | None) -> Callable[[], None]:
    """What the child does between fork and exec: become `identity` (None: stay), then die with its parent."""
    library = ctypes.CDLL(None, use_errno=True)  # loaded before the fork
    parent = os.getpid()

    def become() -> None:
        if identity is not None:
            if identity.capability is not None:
                _call(library, "prctl", PR_SET_KEEPCAPS, 1, 0, 0, 0)
                # access(2) drops the capabilities of a user who is not root unless this bit is set.
                _call(library, "prctl", PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
            os.setgroups([])
            os.setgid(identity.gid)
            os.setuid(identity.uid)
            if identity.capability is not None:
                _keep_only(library, identity.capability)
        if sys.platform == "linux":
            # Last: a change of credentials clears it. SIGINT is Postgres's "fast" shutdown.
            _call(library, "prctl", PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return become


def _keep_only(library: ctypes.CDLL, capability: int) -> None:
    """Permitted must equal ambient, otherwise exec counts as a gain of rights and clears the death signal."""
    mask = 1 << capability
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    words = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)  # effective, permitted, inheritable; high words
    _call(library, "capset", header, words)
    _call(library, "prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def _call(library: ctypes.CDLL, name: str, *arguments: object) -> None:
    if getattr(library, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
