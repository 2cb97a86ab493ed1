"""Messages of one sender that arrive while others are being written are written together, in one transaction.

Each is answered after the commit of its own transaction.
"""

from functools import partial

from chatcore.accounts.principals import Principal
from chatcore.together import Together, or_alone
from external.intake import Accepted, IntakeItem, accept

_together: Together[IntakeItem, Accepted] = Together()


async def gather(principal: Principal, item: IntakeItem, token: str | None) -> Accepted:
    """`accept_one`, together with others of the same sender that wait at this moment."""
    return await _together(or_alone(partial(accept, principal, token=token)), item, (principal.asker, token))
