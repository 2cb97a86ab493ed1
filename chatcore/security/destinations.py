"""Which addresses of the network an outside URL may lead to: public ones, and what the operator allows besides.

The list is our own: `ipaddress.is_global` passes multicast, fec0::/10, ::/96 and several forms that carry an
IPv4 address inside, and what it passes differs between Python's patch releases.
"""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

# IANA's special-purpose registries (RFC 6890 and what came after), and what clouds put beside them.
CLOSED: tuple[Network, ...] = tuple(
    ipaddress.ip_network(each)
    for each in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers (CGNAT); one cloud's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # another cloud's host, at an address that looks public
        "169.254.0.0/16",  # link-local; metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; one cloud's metadata
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        # IPv6: of all eighths only 2000::/3 is given out. The others hold ::, ::1, IPv4-compatible (::/96),
        # -mapped (::ffff:0:0/96) and -translated forms, NAT64 (64:ff9b::/96, 64:ff9b:1::/48), discard (100::/64),
        # SRv6 (5f00::/16), unique local (fc00::/7), link-local (fe80::/10), site-local (fec0::/10) and
        # multicast (ff00::/8).
        "::/3",
        "4000::/2",
        "8000::/1",
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID and others
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which carries an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_ENTRY = re.compile(r"(\*|\[[0-9a-fA-F:./]+\]|[\w./-]+):(\*|\d{1,5})")
PUBLIC = "public"


def is_public(address: Address) -> bool:
    return not any(address in network for network in CLOSED if network.version == address.version)


@dataclass(frozen=True)
class Opening:
    """One entry of OUTBOUND_ALLOW: `HOST:PORT`, where plain http may be spoken too.

    HOST is a name, an address or network (IPv6 in brackets), `public` for every public address, or `*`, the private
    ones too. PORT is a number or `*`. None stands for any.
    """

    name: str | None
    network: Network | None
    port: int | None

    def may_lead(self, host: str, port: int) -> bool:
        """Whether it could let through a URL whose addresses are not known yet."""
        return self._takes(port) and self.name in (None, PUBLIC, host)

    def leads(self, host: str, port: int, address: Address) -> bool:
        if not self.may_lead(host, port):
            return False
        if self.network is not None:
            return address.version == self.network.version and address in self.network
        return self.name != PUBLIC or is_public(address)

    def _takes(self, port: int) -> bool:
        return self.port in (None, port)


def openings() -> tuple[Opening, ...]:
    """What OUTBOUND_ALLOW says now. Raises ImproperlyConfigured."""
    return _read(tuple(settings.OUTBOUND_ALLOW))


@lru_cache(maxsize=32)
def _read(entries: tuple[str, ...]) -> tuple[Opening, ...]:
    return tuple(_opening(each) for each in entries)


def _opening(entry: str) -> Opening:
    match = _ENTRY.fullmatch("*:*" if entry == "*" else entry)
    if match is None:
        raise ImproperlyConfigured(f"OUTBOUND_ALLOW: {entry!r} is not HOST:PORT, as in 10.0.0.0/8:8080.")
    host, port = match[1].lower(), None if match[2] == "*" else int(match[2])
    if host == "*":
        return Opening(None, None, port)
    try:
        return Opening(None, ipaddress.ip_network(host.strip("[]")), port)
    except ValueError:
        if host.startswith("[") or "/" in host or host.replace(".", "").isdigit():
            raise ImproperlyConfigured(f"OUTBOUND_ALLOW: {entry!r} names no address or network.") from None
        return Opening(host, None, port)
