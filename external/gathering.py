"""Messages of one sender that arrive while others are being written are written together, in one transaction.

Each is answered after the commit of its own transaction.
"""

import logging
from collections.abc import Sequence
from functools import partial

from chatcore.accounts.principals import Principal
from chatcore.errors import ChatcoreError, Unavailable
from chatcore.problems import translate
from chatcore.together import Together
from external.intake import Accepted, IntakeItem, accept, accept_one

log = logging.getLogger(__name__)

_together: Together[IntakeItem, Accepted | Exception] = Together()


async def gather(principal: Principal, item: IntakeItem, token: str | None) -> Accepted:
    """`accept_one`, together with others of the same sender that wait at this moment."""
    assert principal.integration
    user = principal.user and principal.user.pk  # an authenticator may vouch for several
    sender = (principal.integration.id, principal.key_id, user, token)
    accepted = await _together(partial(_accept, principal, token), item, sender)
    if isinstance(accepted, Exception):
        raise accepted
    return accepted


def _accept(
    principal: Principal, token: str | None, items: Sequence[IntakeItem]
) -> Sequence[Accepted | Exception]:
    """A defect that one of them meets must not take the others along."""
    try:
        return accept(principal, items, token=token)
    except Exception as error:
        if len(items) == 1 or isinstance(error, ChatcoreError) or isinstance(translate(error), Unavailable):
            raise
        log.exception("these messages are accepted one by one")
    return [_alone(principal, token, item) for item in items]


def _alone(principal: Principal, token: str | None, item: IntakeItem) -> Accepted | Exception:
    try:
        return accept_one(principal, item, token=token)
    except Exception as error:
        return error
