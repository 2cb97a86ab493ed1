"""How many messages from outside a conversation takes at once (RATE_LIMIT_CONVERSATION), decided before any is planned.

Each message counts. Of a batch those that nobody shall answer count as one together: who brings in what was said long
ago waits for nobody. Behind the first that is refused no other of its conversation is taken, so that their order stays.
A request that its sender can only repeat as a whole is taken as a whole, and then counts like a batch.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence

from django.conf import settings
from django.utils import timezone

from chatcore.errors import NotFound, TooMany
from chatcore.ids import uuid7
from chatcore.security.limits import take_bursts, take_whole_burst
from external.items import IntakeItem
from external.models import IntakePolicy
from external.planning import Addressed, continued
from external.threads import Places, ThreadKey

Bound = tuple[Addressed, uuid.UUID]  # a message and the conversation it goes to


class Bursts:
    """What one call of `accept` takes from its conversations: once, however often it is attempted.

    `ids` are of the conversations that threads will have if one has to be started.
    """

    def __init__(self, *, whole: bool = False) -> None:
        self._whole = whole
        self.ids: dict[ThreadKey, uuid.UUID] = {}
        self._charged: set[int] = set()

    def refused(
        self, addressed: Sequence[Addressed], places: Places, policy: IntakePolicy
    ) -> Mapping[int, TooMany]:
        """By their places, those that come too fast for their conversation. Raises TooMany for a whole request."""
        if not settings.RATE_LIMIT_CONVERSATION:
            return {}
        bound = list(
            self._bound([each for each in addressed if each.place not in self._charged], places, policy)
        )
        costs = list(self._costs(bound))
        wanted: dict[uuid.UUID, int] = {}
        for (_, conversation), cost in zip(bound, costs, strict=True):
            wanted[conversation] = wanted.get(conversation, 0) + cost
        if self._whole:
            take_whole_burst(wanted)
            self._charged |= {each.place for each, _ in bound}
            return {}
        found = take_bursts(wanted)
        refused: dict[int, TooMany] = {}
        spent = dict.fromkeys(wanted, 0)
        for (each, conversation), cost in zip(bound, costs, strict=True):
            spent[conversation] += cost
            if spent[conversation] > found[conversation].taken:
                refused[each.place] = found[conversation].refusal
            else:
                self._charged.add(each.place)
        return refused

    def _bound(self, addressed: Sequence[Addressed], places: Places, policy: IntakePolicy) -> Iterator[Bound]:
        """Without those that name what is not there: they are refused for that."""
        now = timezone.now()
        for each in addressed:
            try:
                conversation = continued(each, places, policy, now)
            except NotFound:
                continue
            if conversation is not None:
                yield each, conversation.id
            elif each.key is not None:
                yield each, self.ids.setdefault(each.key, uuid7())

    def _costs(self, bound: Sequence[Bound]) -> Iterator[int]:
        silent: set[uuid.UUID] = set()
        for each, conversation in bound:
            if not self._is_brought_in(each.item):
                yield 1
            else:
                yield 0 if conversation in silent else 1
                silent.add(conversation)

    def _is_brought_in(self, item: IntakeItem) -> bool:
        return (self._whole or item.source == "batch") and item.respond.kind == "none"
