"""The one way in for messages from outside. Whoever brings them (API, adapter, schedule) calls `accept`.

Everything is decided and written in one transaction, in a few statements however many messages there are: who they
belong to, where they go, the messages, replies, events, jobs, budgets and their provenance.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from django.db import transaction

from chatcore.accounts.models import Integration
from chatcore.accounts.principals import Principal
from chatcore.errors import ChatcoreError, FieldProblem, Forbidden, Unavailable
from chatcore.problems import NAMED_PROBLEMS
from chatcore.usage.errors import BudgetExceeded, PriceUnknown
from conversations.models import Message
from external import provenance, threads
from external.bursts import Bursts
from external.errors import BatchRefused
from external.files import store_files
from external.items import AttachmentSource, IntakeItem, Respond, check
from external.models import IntakeMessage, IntakePolicy
from external.planning import Addressed, Plan, Planned, Responders
from external.resolving import IdentitySelector, Resolved, Selectors, UserSelector, resolve
from external.threads import WRITE, Places

__all__ = [
    "Accepted",
    "AttachmentSource",
    "IdentitySelector",
    "IntakeItem",
    "Respond",
    "UserSelector",
    "accept",
    "accept_one",
]

ATTEMPTS = 5  # each race that is lost has stored one of our messages: the next attempt finds it
UNPAID = (BudgetExceeded, PriceUnknown)


@dataclass(frozen=True)
class Accepted:
    """A message that is stored, the reply queued for it, and how its user was found; `duplicate` if it was before."""

    message: Message
    reply: Message | None
    conversation_id: uuid.UUID
    strategy: str
    duplicate: bool


Outcome: TypeAlias = Accepted | ChatcoreError
Files: TypeAlias = tuple[uuid.UUID, ...] | ChatcoreError


def accept_one(
    principal: Principal,
    item: IntakeItem,
    *,
    token: str | None = None,
    reply_ids: Sequence[uuid.UUID] = (),
) -> Accepted:
    """`accept` of one. Raises what it is refused with."""
    (outcome,) = accept(principal, [item], token=token, reply_ids=reply_ids)
    if isinstance(outcome, ChatcoreError):
        raise outcome
    return outcome


def accept(
    principal: Principal,
    items: Sequence[IntakeItem],
    *,
    atomic: bool = False,
    whole: bool = False,
    token: str | None = None,
    reply_ids: Sequence[uuid.UUID] = (),
) -> list[Outcome]:
    """Store messages of the principal's integration in this order, in one transaction; returns what became of each.

    `token` is a user's access token that came along, `reply_ids` are the ids of the replies to be, one for each item.
    What is wrong with one item keeps no other back, unless `atomic`: then BatchRefused is raised and nothing is stored.
    `whole`: they are one request of a sender who can only repeat all of it. Where some of them come too fast for their
    conversation, TooMany is raised and nothing is stored.
    """
    if principal.integration is None:
        raise Forbidden("Only integrations post messages from outside. Use the key of one.")
    principal.require_any(WRITE)
    files = {place: _files_of(principal, item) for place, item in enumerate(items) if item.attachments}
    bursts = Bursts(whole=whole)
    for _ in range(ATTEMPTS):
        intake = _Intake(principal, principal.integration, token, files, bursts)
        try:
            with transaction.atomic():
                return intake.run(items, reply_ids, atomic=atomic)
        except provenance.Raced:
            continue
        except UNPAID as error:
            if atomic or len(items) > 1:
                raise
            return [error]
    raise Unavailable("Others store the same messages at this moment. Nothing was stored; try again shortly.")


def _files_of(principal: Principal, item: IntakeItem) -> Files:
    """Stored before the transaction; what never gets its message is swept."""
    try:
        check(item)
        return store_files(principal, item.attachments)
    except ChatcoreError as error:
        return error


class _Intake:
    """What one transaction knows and has decided, by the place of each item."""

    def __init__(
        self,
        principal: Principal,
        integration: Integration,
        token: str | None,
        files: Mapping[int, Files],
        bursts: Bursts,
    ) -> None:
        self.bursts = bursts
        self.files = files
        self.principal = principal
        self.integration = integration
        self.token = token
        self.policy = getattr(integration, "intake_policy", None) or IntakePolicy(integration=integration)
        self.outcomes: dict[int, Outcome] = {}
        self._users: dict[Selectors, Resolved | ChatcoreError] = {}
        self._responders = Responders()

    def run(
        self, items: Sequence[IntakeItem], reply_ids: Sequence[uuid.UUID], *, atomic: bool
    ) -> list[Outcome]:
        for place, item in enumerate(items):
            try:
                check(item)
                if isinstance(wrong := self.files.get(place), ChatcoreError):
                    raise wrong
            except ChatcoreError as error:
                self.outcomes[place] = error
        repeats = self._set_repeated_aside(items)
        addressed = self._address(items, reply_ids, repeats)
        places = self._hold(addressed)
        self._store(self._in_time(addressed, places), places, as_one=atomic or len(items) == 1)
        for place, first in repeats.items():
            outcome = self.outcomes[first]
            self.outcomes[place] = (
                replace(outcome, duplicate=True) if isinstance(outcome, Accepted) else outcome
            )
        outcomes = [self.outcomes[place] for place in range(len(items))]
        if atomic:
            _refuse_parts(outcomes)
        return outcomes

    def _set_repeated_aside(self, items: Sequence[IntakeItem]) -> Mapping[int, int]:
        """Answer what has been stored before; returns of those that come twice now which one came first."""
        named = {
            place: item.external_id
            for place, item in enumerate(items)
            if item.external_id is not None and place not in self.outcomes
        }
        known = provenance.first_messages(self.integration, set(named.values()))
        first: dict[str, int] = {}
        repeats: dict[int, int] = {}
        for place, external_id in named.items():
            if external_id in known:
                self.outcomes[place] = _known(*known[external_id])
            elif external_id in first:
                repeats[place] = first[external_id]
            else:
                first[external_id] = place
        return repeats

    def _address(
        self, items: Sequence[IntakeItem], reply_ids: Sequence[uuid.UUID], repeats: Mapping[int, int]
    ) -> list[Addressed]:
        addressed = []
        for place, item in enumerate(items):
            if place in self.outcomes or place in repeats:
                continue
            found = self._user_of(item.selectors(self.token))
            if isinstance(found, ChatcoreError):
                self.outcomes[place] = found
            else:
                reply_id = reply_ids[place] if reply_ids else None
                files = self.files.get(place, ())
                assert not isinstance(files, ChatcoreError)
                addressed.append(Addressed(place, item, found, reply_id, files))
        return addressed

    def _user_of(self, selectors: Selectors) -> Resolved | ChatcoreError:
        """Asked once for all that say the same."""
        if selectors not in self._users:
            try:
                self._users[selectors] = resolve(self.principal, selectors, strategies=self.policy.strategies)
            except ChatcoreError as error:
                self._users[selectors] = error
        return self._users[selectors]

    def _hold(self, addressed: Iterable[Addressed]) -> Places:
        keys = {each.key for each in addressed if each.key is not None}
        named = {each.item.conversation for each in addressed if each.item.conversation is not None}
        return threads.hold(self.integration, keys, named)

    def _in_time(self, addressed: Sequence[Addressed], places: Places) -> Sequence[Addressed]:
        """Without those that come too fast for their conversation, unless they have been stored meanwhile."""
        refused = self.bursts.refused(addressed, places, self.policy)
        if not refused:
            return addressed
        late = {each.place: each.item for each in addressed if each.place in refused}
        named = {item.external_id for item in late.values() if item.external_id is not None}
        known = provenance.first_messages(self.integration, named)
        for place, item in late.items():
            found = known.get(item.external_id or "")
            self.outcomes[place] = _known(*found) if found else refused[place]
        return [each for each in addressed if each.place not in refused]

    def _store(self, addressed: Sequence[Addressed], places: Places, *, as_one: bool) -> None:
        """All together; where a budget does not cover all of them, one after the other, unless they are one thing."""
        plan = self._plan(addressed, places)
        if as_one:
            self._write(plan)
            return
        try:
            with transaction.atomic():
                self._write(plan)
        except UNPAID:
            for each in plan.planned:
                self._store_alone(each.of, places)

    def _store_alone(self, addressed: Addressed, places: Places) -> None:
        try:
            with transaction.atomic():
                self._write(self._plan([addressed], places))
        except UNPAID as error:
            self.outcomes[addressed.place] = error

    def _plan(self, addressed: Iterable[Addressed], places: Places) -> Plan:
        plan = Plan(self.principal, self.policy, places, self._responders, self.bursts.ids)
        for each in addressed:
            try:
                plan.add(each)
            except ChatcoreError as error:
                self.outcomes[each.place] = error
        return plan

    def _write(self, plan: Plan) -> None:
        if not plan.planned:
            return
        plan.write()
        self.outcomes |= {each.of.place: _accepted(each) for each in plan.planned}


def _known(row: IntakeMessage, reply: Message | None) -> Accepted:
    return Accepted(row.message, reply, row.message.conversation_id, row.strategy, duplicate=True)


def _accepted(planned: Planned) -> Accepted:
    message = planned.message
    return Accepted(
        message, planned.reply, message.conversation_id, planned.of.resolved.strategy, duplicate=False
    )


def _refuse_parts(outcomes: Sequence[Outcome]) -> None:
    found = [
        FieldProblem(f"/items/{place}{problem.pointer}", problem.detail, problem.code)
        for place, error in enumerate(outcomes)
        if isinstance(error, ChatcoreError)
        for problem in error.errors or (FieldProblem("", error.detail, error.code),)
    ]
    if found:
        raise BatchRefused(errors=found[:NAMED_PROBLEMS])
