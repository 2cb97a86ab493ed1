"""Where a request comes from: the client's address behind trusted proxies, and lists of networks (CIDR)."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.core.exceptions import ValidationError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def client_address(remote: str, forwarded_for: str) -> str:
    """Who sent the request: the first address that is no trusted proxy, from the nearest one outwards.

    `remote` is the other end of the connection, `forwarded_for` the X-Forwarded-For headers joined by commas: each
    proxy writes at its end whom it heard, so what stands left of the first stranger is the stranger's own claim. An
    entry that is no address ends the walk at the proxy that wrote it. "" where nobody knows.
    """
    nearest = read_address(remote)
    if nearest is None:
        return ""
    claims = [read_address(claim) for claim in forwarded_for.split(",")] if forwarded_for.strip() else []
    while claims and _is_proxy(nearest):
        claimed = claims.pop()
        if claimed is None:
            break
        nearest = claimed
    return str(nearest)


def is_within(address: str, networks: Iterable[str]) -> bool:
    """Whether one of the networks holds the address. An unknown address is in none."""
    found = read_address(address)
    return found is not None and any(found in _network(network) for network in networks)


def read_address(text: str) -> Address | None:
    """An IP address, with or without a port or brackets; an IPv4 address written as IPv6 is the IPv4 address."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def validate_network(text: str) -> None:
    """Raises ValidationError where the text is neither an address nor a network (CIDR)."""
    try:
        ip_network(text)
    except ValueError:
        raise ValidationError(
            "%(text)s is not an address or a network: write for example 192.0.2.7 or 192.0.2.0/24.",
            params={"text": text[:60]},
        ) from None


def _is_proxy(address: Address) -> bool:
    return any(address in _network(network) for network in settings.TRUSTED_PROXIES)


@lru_cache(maxsize=1024)
def _network(text: str) -> Network:
    return ip_network(text)
