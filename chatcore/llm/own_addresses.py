"""Where a workspace's own provider may be: only where an address from outside may lead (docs/outbound.md).

Providers of all workspaces are made by staff, who may name any address: none of this costs them anything.
"""

from dataclasses import replace
from socket import AF_INET, AF_INET6, AF_UNSPEC, AI_NUMERICHOST, AI_NUMERICSERV, AddressFamily

from aiohttp.abc import AbstractResolver, ResolveResult

from chatcore.llm.errors import ProviderError
from chatcore.security.connecting import system_lookup
from chatcore.security.targets import AddressRefused, Target, check_addresses, read_target

REMEDY = (
    "Ask the staff of this server: they can add it for all workspaces, or let it through by OUTBOUND_ALLOW."
)


def own_address_problem(address: str) -> str:
    """Why a workspace's own provider may not be there, in words; empty where it may. No name is resolved."""
    try:
        read_target(address)
    except AddressRefused as error:
        return f"{error.detail} {REMEDY}"
    return ""


class CheckedResolver(AbstractResolver):
    """For aiohttp: the addresses of one target's name, if all of them may be called. It connects to no others."""

    def __init__(self, target: Target) -> None:
        self._target = target

    async def resolve(
        self, host: str, port: int = 0, family: AddressFamily = AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises ProviderError where one of them may not be called, OSError where there is none."""
        target = replace(self._target, host=host, port=port)
        found = await system_lookup(host, port)
        try:
            addresses = check_addresses(target, found)
        except AddressRefused as error:
            raise ProviderError("address_refused", f"{host}: {error.detail} {REMEDY}") from None
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=AF_INET if address.version == 4 else AF_INET6,
                proto=0,
                flags=AI_NUMERICHOST | AI_NUMERICSERV,
            )
            for address in addresses
            if family in (AF_UNSPEC, AF_INET if address.version == 4 else AF_INET6)
        ]

    async def close(self) -> None:
        """Nothing is held."""
