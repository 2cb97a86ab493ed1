"""Connections of the LiteLLM process for workspaces' own providers: only where docs/outbound.md lets them go.

LiteLLM and what it stands on connect in many ways, follow redirects, and ask addresses that keys name. All of them
look names up by `socket.getaddrinfo` and connect by `socket.connect`, whose audit event (PEP 578) comes with the very
address the connection goes to.
"""

import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings

from chatcore.security.targets import AddressRefused, Target, check_addresses

INTERNET = (socket.AF_INET, socket.AF_INET6)
WORDS = "{} leads where a workspace's own provider may not be: staff may let it through by OUTBOUND_ALLOW"


class Refused(OSError):
    """A workspace's own provider may not be where the address leads."""


def install(allowed: Sequence[str]) -> None:
    """From now on this process calls nothing else. `allowed` are the entries of OUTBOUND_ALLOW."""
    settings.configure(OUTBOUND_ALLOW=list(allowed))
    look_up: Callable[..., list[Any]] = socket.getaddrinfo
    by_name = set[tuple[str, int]]()  # addresses and ports that names alone let through

    def checked_look_up(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        found = look_up(host, port, *args, **options)
        name = host.decode("ascii") if isinstance(host, bytes) else str(host)
        for *_, (address, number, *_) in found:
            if number and not _may_be_called(name, address, number):
                raise Refused(WORDS.format(name))
            if number and not _may_be_called(address, address, number):
                by_name.add((address, number))
        return found

    def judge(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "socket.connect":
            return
        connection, where = arguments
        if connection.family not in INTERNET:
            raise Refused(WORDS.format(where))
        address, number = where[:2]
        if (address, number) not in by_name and not _may_be_called(address, address, number):
            raise Refused(WORDS.format(address))

    socket.getaddrinfo = checked_look_up
    sys.addaudithook(judge)


def _may_be_called(host: str, address: str, port: int) -> bool:
    """Whether a URL of that host may lead to the address. Whether it says https was seen when it was entered."""
    try:
        check_addresses(Target("https", host.lower().removesuffix("."), port, "/", None), [address])
    except AddressRefused:
        return False
    return True
