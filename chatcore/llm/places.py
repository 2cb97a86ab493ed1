"""Limits of deployments, across all workers: who has a place, who is next in line. Statements only, no waiting.

Whoever changes what a limited deployment has left holds its advisory lock until the end of the transaction. A place
and a wait in line are leases: those of a worker that died run out by themselves.
"""

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from chatcore.ids import uuid7
from chatcore.llm import breakers
from chatcore.llm.traffic import Call, Waiter

CALL_LEASE = 6.0
WAITER_LEASE = 5.0
LOCK_NAMESPACE = 7302


@dataclass(slots=True)
class Room:
    """What a deployment's limits leave: `running` now, `started` and `tokens` within the last minute.

    `is_shut`: its breaker is open. Half-open, it takes one request, its probe; `is_probed`: that one is under way.
    """

    is_shut: bool
    is_half_open: bool
    is_probed: bool
    max_concurrent: int | None
    rpm: int | None
    tpm: int | None
    running: int
    started: int
    tokens: int

    def fits(self, tokens: int) -> bool:
        """A request that is larger than `tpm` fits where nothing else was asked."""
        return (
            (self.max_concurrent is None or self.running < self.max_concurrent)
            and (self.rpm is None or self.started < self.rpm)
            and (self.tpm is None or not self.tokens or self.tokens + tokens <= self.tpm)
        )

    def takes(self, tokens: int) -> bool:
        """Whether one who waits may ask."""
        return not self.is_probed and self.fits(tokens)

    def take(self, tokens: int) -> None:
        self.is_probed = self.is_half_open
        self.running += 1
        self.started += 1
        self.tokens += tokens


@dataclass(frozen=True, slots=True)
class Place:
    """A request may be made of this deployment, maybe as its breaker's probe; `call` counts until it is left."""

    deployment_id: uuid.UUID
    call: uuid.UUID
    probe: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Turns:
    """How the waiters that asked stand: `places` of those whose turn it is, `positions` (1 is next) of those that go
    on waiting. One in neither has nothing left to wait for.
    """

    places: dict[int, Place] = field(default_factory=dict)
    positions: dict[int, int] = field(default_factory=dict)


def count_call(deployment_id: uuid.UUID, tokens: int) -> uuid.UUID:
    """A place where there is no limit: it is only counted."""
    call = uuid7()
    _begin([(call, deployment_id, tokens)])
    return call


@transaction.atomic
def take_place(deployment_id: uuid.UUID, tokens: int) -> uuid.UUID | None:
    """A place at a limited deployment, if there is one besides those that the line waits for."""
    lock([deployment_id])
    room = _rooms([deployment_id]).get(deployment_id)
    if room is None:
        return None
    for _, _, wanted in _waiting([deployment_id]):
        room.take(wanted)
    return count_call(deployment_id, tokens) if room.fits(tokens) else None


def join_line(deployments: Sequence[uuid.UUID], tokens: int) -> int:
    """Wait for a place at one of the deployments, behind all that wait already; returns the waiter's id."""
    with connection.cursor() as sql:
        sql.execute(_JOIN, {"deployments": list(deployments), "tokens": tokens, "lease": WAITER_LEASE})
        (waiter,) = sql.fetchone()
    return int(waiter)


def leave_line(waiters: Iterable[int]) -> None:
    Waiter.objects.filter(pk__in=waiters).delete()


@transaction.atomic
def take_turns(mine: Mapping[int, Sequence[uuid.UUID]]) -> Turns:
    """Show that these waiters (with the deployments they want) live, and give places to those whose turn it is.

    Places are dealt out in the order of the whole line; what is dealt to another worker's waiters is left for it.
    """
    wanted = sorted({deployment for each in mine.values() for deployment in each})
    lock(wanted)
    _rows(_RENEW_WAITERS, {"ids": list(mine), "lease": WAITER_LEASE})
    rooms, turns = _rooms(wanted), Turns()
    behind: Counter[tuple[uuid.UUID, ...]] = Counter()
    begun: list[tuple[uuid.UUID, uuid.UUID, int]] = []
    for waiter, deployments, tokens in _waiting(wanted):
        open_ones = [each for each in deployments if each in rooms and not rooms[each].is_shut]
        free = next((each for each in open_ones if rooms[each].takes(tokens)), None)
        place = _place(free, rooms[free]) if free is not None and waiter in mine else None
        if free is not None:
            rooms[free].take(tokens)
        if place is not None:
            turns.places[waiter] = place
            begun.append((place.call, place.deployment_id, tokens))
        elif open_ones and (free is None or waiter in mine):
            if waiter in mine:
                turns.positions[waiter] = 1 + _ahead(behind, deployments)
            behind[tuple(deployments)] += 1
    if begun:
        _begin(begun)
        leave_line(turns.places)
    return turns


def renew(calls: Collection[uuid.UUID]) -> None:
    """Show that these calls run on; forget what no limit looks back on any more."""
    _rows(_RENEW_CALLS, {"ids": list(calls), "lease": CALL_LEASE})
    with connection.cursor() as sql:
        sql.execute(_FORGET_CALLS)
        sql.execute(_FORGET_WAITERS)


def lock(deployments: Iterable[uuid.UUID]) -> None:
    """In the order of ids, and before the rows of their breakers, so that two workers cannot wait for each other."""
    with connection.cursor() as sql:
        for deployment in deployments:
            sql.execute("select pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK_NAMESPACE, str(deployment)])


def leave(call: uuid.UUID, tokens: int | None) -> None:
    """The call has ended. `tokens` as the provider counted them; unknown leaves the estimate."""
    known = {} if tokens is None else {"tokens": tokens}
    Call.objects.filter(pk=call).update(expires_at=Now(), **known)


def _ahead(behind: Counter[tuple[uuid.UUID, ...]], deployments: Collection[uuid.UUID]) -> int:
    return sum(number for wanted, number in behind.items() if not set(wanted).isdisjoint(deployments))


def _place(deployment_id: uuid.UUID, room: Room) -> Place | None:
    """None where the breaker is half-open no more."""
    if not room.is_half_open:
        return Place(deployment_id, uuid7())
    probe = breakers.take_probe(deployment_id)
    return Place(deployment_id, uuid7(), probe) if probe else None


def _rooms(deployments: Sequence[uuid.UUID]) -> dict[uuid.UUID, Room]:
    """Of those that are enabled."""
    return {row[0]: Room(*row[1:]) for row in _rows(_ROOMS, {"deployments": list(deployments)})}


def _waiting(deployments: Sequence[uuid.UUID]) -> list[tuple[int, list[uuid.UUID], int]]:
    return [(row[0], row[1], row[2]) for row in _rows(_WAITING, {"deployments": list(deployments)})]


def _begin(calls: Sequence[tuple[uuid.UUID, uuid.UUID, int]]) -> None:
    ids, deployments, tokens = (list(column) for column in zip(*calls, strict=True))
    values: dict[str, Any] = {"ids": ids, "deployments": deployments, "tokens": tokens, "lease": CALL_LEASE}
    with connection.cursor() as sql:
        sql.execute(_BEGIN, values)


def _rows(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as sql:
        sql.execute(statement, values)
        return list(sql.fetchall()) if sql.description else []


_LEASE = "statement_timestamp() + make_interval(secs => %(lease)s)"
_MINUTE_AGO = "statement_timestamp() - interval '1 minute'"

_BEGIN = f"""
insert into llm_call (id, deployment_id, started_at, expires_at, tokens)
select mine.id, mine.deployment, statement_timestamp(), {_LEASE}, mine.tokens
from unnest(%(ids)s::uuid[], %(deployments)s::uuid[], %(tokens)s::int[]) as mine(id, deployment, tokens)
"""  # noqa: S608

_ROOMS = f"""
select d.id,
    h.open_until is not null and not {breakers.HALF_OPEN},
    h.open_until is not null and {breakers.HALF_OPEN},
    h.open_until is not null and coalesce(h.probing_until > statement_timestamp(), false),
    d.max_concurrent, d.rpm, d.tpm,
    count(c.id) filter (where c.expires_at > statement_timestamp()),
    count(c.id) filter (where c.started_at > {_MINUTE_AGO}),
    coalesce(sum(c.tokens) filter (where c.started_at > {_MINUTE_AGO}), 0)
from llm_deployment d
join llm_provider p on p.id = d.provider_id and p.enabled
left join llm_deploymenthealth h on h.deployment_id = d.id
left join llm_call c on c.deployment_id = d.id
    and (c.expires_at > statement_timestamp() or c.started_at > {_MINUTE_AGO})
where d.id = any(%(deployments)s) and d.enabled
group by d.id, p.id, h.deployment_id
"""  # noqa: S608

_WAITING = """
select id, deployments, tokens from llm_waiter
where expires_at > statement_timestamp() and deployments && %(deployments)s::uuid[]
order by id
"""

_JOIN = f"""
insert into llm_waiter (deployments, tokens, expires_at)
values (%(deployments)s::uuid[], %(tokens)s, {_LEASE}) returning id
"""  # noqa: S608

_RENEW_WAITERS = f"update llm_waiter set expires_at = {_LEASE} where id = any(%(ids)s::bigint[])"  # noqa: S608
_RENEW_CALLS = f"update llm_call set expires_at = {_LEASE} where id = any(%(ids)s::uuid[])"  # noqa: S608
_FORGET_CALLS = "delete from llm_call where greatest(expires_at, started_at) < now() - interval '2 minutes'"
_FORGET_WAITERS = "delete from llm_waiter where expires_at < now() - interval '1 minute'"
