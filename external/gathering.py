"""Messages that arrive while others are being written are written together: one transaction for all that wait.

A message that comes alone waits for nobody. Each is answered after the commit of its own transaction. Whoever finds
nobody writing writes, in the thread of its own request, for all that wait; then the next one does.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from chatcore.accounts.principals import Principal
from chatcore.errors import ChatcoreError
from chatcore.offload import in_request
from chatcore.problems import translate
from external.intake import Accepted, IntakeItem, Outcome, accept, accept_one

log = logging.getLogger(__name__)

MOST_TOGETHER = 50


@dataclass(eq=False)
class _Waiting:
    """`heard` is what became of the message; None: it is its turn to write."""

    item: IntakeItem
    heard: "asyncio.Future[Outcome | None]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


@dataclass(eq=False)
class _Line:
    """Those of one sender who wait, in the order in which they came."""

    waiting: deque[_Waiting] = field(default_factory=deque)
    is_writing: bool = False


_lines: dict[tuple[object, ...], _Line] = {}


async def gather(principal: Principal, item: IntakeItem, token: str | None) -> Accepted:
    """`accept_one`, together with others of the same sender that wait at this moment."""
    assert principal.integration
    user = principal.user and principal.user.pk  # an authenticator may vouch for several
    key = (asyncio.get_running_loop(), principal.integration.id, principal.key_id, user, token)
    line = _lines.setdefault(key, _Line())
    mine = _Waiting(item)
    line.waiting.append(mine)
    outcome = await mine.heard if line.is_writing else None
    if outcome is None:
        outcome = await _write(key, line, mine, principal, token)
    if isinstance(outcome, ChatcoreError):
        raise outcome
    return outcome


async def _write(
    key: tuple[object, ...], line: _Line, mine: _Waiting, principal: Principal, token: str | None
) -> Outcome:
    """For everybody who waits. That the client of this one goes away meanwhile changes nothing for the others."""
    line.is_writing = True
    together = [line.waiting.popleft() for _ in range(min(len(line.waiting), MOST_TOGETHER))]
    mine.heard = asyncio.get_running_loop().create_future()
    writing = asyncio.ensure_future(in_request(_accept, principal, [each.item for each in together], token))
    writing.add_done_callback(partial(_tell, key, line, together))
    await asyncio.wait([writing])
    return writing.result()[together.index(mine)]


def _tell(
    key: tuple[object, ...],
    line: _Line,
    together: Sequence[_Waiting],
    writing: "asyncio.Future[list[Outcome]]",
) -> None:
    failed = asyncio.CancelledError() if writing.cancelled() else writing.exception()
    for place, each in enumerate(together):
        if each.heard.done():
            continue
        if failed is not None:
            each.heard.set_exception(failed)
            each.heard.exception()  # whoever writes is told by its own task
        else:
            each.heard.set_result(writing.result()[place])
    line.is_writing = False
    while line.waiting and line.waiting[0].heard.done():
        line.waiting.popleft()  # its client has gone before it was anybody's turn
    if line.waiting:
        line.is_writing = True
        line.waiting[0].heard.set_result(None)
    else:
        _lines.pop(key, None)


def _accept(principal: Principal, items: Sequence[IntakeItem], token: str | None) -> list[Outcome]:
    """A defect that one of them meets must not take the others along."""
    try:
        return accept(principal, items, token=token)
    except Exception as error:
        if len(items) == 1 or isinstance(error, ChatcoreError) or translate(error) is not None:
            raise
        log.exception("these messages are accepted one by one")
    return [_alone(principal, item, token) for item in items]


def _alone(principal: Principal, item: IntakeItem, token: str | None) -> Outcome:
    try:
        return accept_one(principal, item, token=token)
    except ChatcoreError as error:
        return error
