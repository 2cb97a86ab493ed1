"""Rate limits: what a request costs, who pays for it, and what its answer says of it (RateLimit header fields,
draft-ietf-httpapi-ratelimit-headers-10).

An integration pays once for all its keys, a person for all their sessions and tokens, and the workspace pays along.
Credentials that do not hold are paid for by the address they come from.
"""

import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest

from chatcore.errors import Invalid, TooMany, Unavailable
from chatcore.offload import offload
from chatcore.security import windows
from chatcore.security.addresses import client_address
from chatcore.security.windows import Standing, StoreDown, Window

if TYPE_CHECKING:
    from chatcore.accounts.principals import Principal

BURST_SECONDS = 5
RATES = "chatcore.rates"  # in a request's META: what was charged for it

Rates = dict[str, Standing]


class CostTooHigh(Invalid):
    """This asks for more at once than may be asked for in a whole minute. Split it."""

    code = "cost_too_high"
    remedy = "Send it in several smaller requests. Nothing was stored."


def charge(principal: "Principal", cost: int = 1) -> None:
    """Take `cost` requests from every window of the principal, or none. The doors charge 1 for every request.

    Raises TooMany, whose `retry_after` is never too early. Asks Redis where it is configured: not for the event loop.
    Without Redis each process counts for itself.
    """
    wanted = _windows_of(principal)
    _refuse_hopeless(wanted, cost)
    now = time.time()
    try:
        standings = windows.ask(lambda counters: counters.take(wanted, cost, now))
    except StoreDown:
        standings = windows.local().take(wanted, cost, now)
    principal.rates.update({standing.window.name: standing for standing in standings})
    _refuse(standings)


@dataclass(frozen=True)
class Burst:
    """How many messages a conversation takes now, and what the others are refused with."""

    taken: int
    refusal: TooMany


def take_bursts(messages: Mapping[uuid.UUID, int]) -> dict[uuid.UUID, Burst]:
    """Charge conversations, by their ids, for so many messages from outside; in one question for all of them.

    Empty where nothing limits them. Asks Redis where it is configured: not for the event loop.
    """
    wanted = _windows_moving(messages)
    if not wanted:
        return {}
    now = time.time()
    try:
        found = windows.ask(lambda counters: counters.take_moving(wanted, now))
    except StoreDown:
        found = windows.local().take_moving(wanted, now)
    pairs = zip(messages, found, strict=True)
    return {each: Burst(taken, _too_fast(wait)) for each, (taken, wait) in pairs}


def take_whole_burst(messages: Mapping[uuid.UUID, int]) -> None:
    """`take_bursts` for what is sent again as a whole: all is charged, or none and TooMany raised.

    Who sends more at once than a conversation takes can do no less: it costs all that the conversation takes.
    """
    wanted = _windows_moving(messages)
    if not wanted:
        return
    now = time.time()
    try:
        wait = windows.ask(lambda counters: counters.take_whole(wanted, now))
    except StoreDown:
        wait = windows.local().take_whole(wanted, now)
    if wait:
        raise _too_fast(wait)


async def charge_live(principal: "Principal") -> None:
    """`charge` for who stands on the event loop."""
    if windows.is_local():
        charge(principal)
    else:
        await offload(charge, principal)


def charge_address(address: str) -> Rates:
    """Count credentials that did not hold. Raises TooMany for too many, Unavailable where nobody can count them."""
    window = _window_of_address(address)
    if not window.quota:
        return {}
    now = time.time()
    try:
        standings = windows.ask(lambda counters: counters.take([window], 1, now))
    except StoreDown:
        raise Unavailable(
            "Keys that are not known cannot be refused safely now. Try again shortly."
        ) from None
    if not windows.is_local():
        windows.local().take([window], 1, now)
    _refuse(standings)
    return {window.name: standings[0]}


def left_to(address: str) -> Rates:
    """What this process knows of the address. Waits for nobody."""
    window = _window_of_address(address)
    return {window.name: windows.local().left(window, time.time())} if window.quota else {}


def address_of(request: HttpRequest) -> str:
    """The client's, behind the trusted proxies; "" where nobody knows."""
    return client_address(request.META.get("REMOTE_ADDR") or "", request.headers.get("X-Forwarded-For", ""))


def headers_of(rates: Mapping[str, Standing]) -> dict[str, str]:
    """RateLimit-Policy and RateLimit: Structured Field lists (RFC 9651) with an item for each window."""
    if not rates:
        return {}
    found = rates.values()
    policy = (f'"{each.window.name}";q={each.window.quota};w={each.window.seconds}' for each in found)
    standing = (f'"{each.window.name}";r={each.remaining};t={each.resets_in}' for each in found)
    return {"RateLimit-Policy": ", ".join(policy), "RateLimit": ", ".join(standing)}


def headers_for(request: HttpRequest) -> dict[str, str]:
    """Those of the answer to this request, whoever refused it."""
    return headers_of(request.META.get(RATES) or left_to(address_of(request)))


def _windows_of(principal: "Principal") -> list[Window]:
    if principal.integration is not None:
        own = principal.integration.constraints.get("requests_per_minute")
        payer = Window("integration", str(principal.integration.id), own or settings.RATE_LIMIT_KEY)
    else:
        payer = Window("user", str(principal.user and principal.user.id), settings.RATE_LIMIT_KEY)
    whole = Window("workspace", str(principal.workspace.id), settings.RATE_LIMIT_WORKSPACE)
    return [window for window in (payer, whole) if window.quota]


def _windows_moving(messages: Mapping[uuid.UUID, int]) -> list[tuple[Window, int]]:
    """Of conversations; none where nothing limits them."""
    quota = settings.RATE_LIMIT_CONVERSATION
    if not quota:
        return []
    return [
        (Window("conversation", str(each), quota, BURST_SECONDS), count) for each, count in messages.items()
    ]


def _too_fast(wait: int) -> TooMany:
    quota = settings.RATE_LIMIT_CONVERSATION
    detail = f"One conversation takes {quota} messages from outside in {BURST_SECONDS} seconds."
    return TooMany(detail, retry_after=wait)


def _window_of_address(address: str) -> Window:
    return Window("address", address, settings.RATE_LIMIT_ADDRESS)


def _refuse_hopeless(wanted: Iterable[Window], cost: int) -> None:
    for window in wanted:
        if cost > window.quota:
            raise CostTooHigh(
                f"This costs {cost} requests, and the {window.name} has {window.quota} a minute."
            )


def _refusing(standings: Iterable[Standing]) -> list[Standing]:
    return [standing for standing in standings if standing.refused]


def _refuse(standings: Iterable[Standing]) -> None:
    if refusing := _refusing(standings):
        longest = max(refusing, key=lambda standing: standing.resets_in)
        window = longest.window
        detail = f"The {window.name} has {window.quota} requests in {window.seconds} seconds, and they are used up."
        raise TooMany(detail, retry_after=longest.resets_in)
