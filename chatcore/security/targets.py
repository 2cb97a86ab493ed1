"""What a URL from outside leads to, read strictly: a form that two readers could understand differently is refused."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import quote

import idna

from chatcore.errors import Invalid
from chatcore.security.destinations import Address, is_public, openings

LONGEST = 2048
SAFE_PORTS = (443, 8443)
INWARD_NAMES = ("localhost", "localdomain", "local", "internal", "home.arpa")
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
_NEVER = re.compile(
    r"[\x00-\x20\x7f-\xa0\\\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ud800-\udfff\ufeff]"
)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class AddressRefused(Invalid):
    """This address is not one Chatcore may call."""

    code = "address_refused"
    remedy = (
        "Use a public https address, at port 443 or 8443. Others have to be let through by the server's "
        "OUTBOUND_ALLOW."
    )


@dataclass(frozen=True)
class Target:
    """`host` is ASCII in lower case, an IPv6 address without its brackets; `path` begins with / and holds the query."""

    scheme: str
    host: str
    port: int
    path: str
    literal: Address | None

    @property
    def host_header(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.scheme == "https" else 80) else f"{name}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def is_ordinary(self) -> bool:
        return self.scheme == "https" and self.port in SAFE_PORTS

    def admits(self, address: Address) -> bool:
        if self.is_ordinary and is_public(address):
            return True
        return any(each.leads(self.host, self.port, address) for each in openings())


def read_target(url: str) -> Target:
    """The target of a URL, as far as it can be judged without asking for its addresses. Raises AddressRefused."""
    match = _URL.fullmatch(url) if len(url) <= LONGEST and not _NEVER.search(url) else None
    if match is None:
        _refuse("Write an address as https://host/path.")
    scheme = match[1].lower()
    if scheme not in ("https", "http"):
        _refuse("Only https addresses may be called.")
    if "@" in match[2]:
        _refuse("An address may not carry a user name or a password.")
    authority = _AUTHORITY.fullmatch(match[2])
    if authority is None:
        _refuse()
    port = int(authority[2] or (443 if scheme == "https" else 80))
    host, literal = _host(authority[1])
    if not 0 < port < 65536:
        _refuse()
    target = Target(scheme, host, port, _path(match[3], match[4] or ""), literal)
    _judge(target)
    return target


def check_addresses(target: Target, found: Sequence[str]) -> list[Address]:
    """What a name resolved to, if every one of the addresses may be called. Raises AddressRefused."""
    try:
        addresses = [ipaddress.ip_address(text) for text in found]
    except ValueError:  # among them those with a zone that does not parse
        raise AddressRefused from None
    if not addresses or not all(_plain(each) and target.admits(each) for each in addresses):
        raise AddressRefused
    return addresses


def _judge(target: Target) -> None:
    if target.literal is not None:
        check_addresses(target, [str(target.literal)])
        return
    if any(each.may_lead(target.host, target.port) for each in openings()):
        return
    if not target.is_ordinary:
        _refuse("Only https addresses at port 443 or 8443 may be called.")
    if any(f".{target.host}".endswith(f".{name}") for name in INWARD_NAMES):
        raise AddressRefused


def _host(text: str) -> tuple[str, Address | None]:
    if text.startswith("["):
        try:
            address: Address = ipaddress.IPv6Address(text[1:-1])
        except ValueError:
            _refuse()
        return str(address), address
    name = _ascii(text).lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        _refuse()
    if not _NUMBER.fullmatch(labels[-1]):
        return name, None
    try:  # as browsers do: what ends in a number is an IPv4 address or nothing
        address = ipaddress.IPv4Address(name)
    except ValueError:
        _refuse()
    return str(address), address


def _ascii(name: str) -> str:
    """The name as it is asked for (UTS 46): also fullwidth letters, digits and dots become plain ones here."""
    if name.isascii():
        return name
    try:
        return idna.encode(name, uts46=True, std3_rules=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        _refuse()


def _path(path: str, query: str) -> str:
    """Letters beyond ASCII, quotes and angle brackets go percent-encoded; what is so already stays."""
    return quote((path or "/") + query, safe="/?%:@!$&'()*+,;=-._~[]|^{}`")


def _plain(address: Address) -> bool:
    return not getattr(address, "scope_id", None)


def _refuse(detail: str = "") -> NoReturn:
    raise AddressRefused(detail)
