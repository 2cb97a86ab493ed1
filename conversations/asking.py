"""Questions of one asker that come while others of theirs are written are written together, in one transaction.

Each is answered after the commit of its own transaction.
"""

from collections.abc import Sequence
from functools import partial

from django.db.models import prefetch_related_objects

from chatcore.accounts.principals import Principal
from chatcore.offload import in_request
from chatcore.together import Together, or_alone
from conversations.actions import Posted, Wish, post_messages

LARGE = 64 * 1024  # characters: what is longer is stored by itself

_together: Together[Wish, Posted] = Together()


async def ask(principal: Principal, wish: Wish) -> Posted:
    """`post_messages`, with the attachments of what was posted: the event loop could not read them."""
    if wish.attachments or len(wish.text) > LARGE:
        (posted,) = await in_request(_post, principal, [wish])
        return posted
    return await _together(or_alone(partial(_post, principal)), wish, principal.asker)


def _post(principal: Principal, wishes: Sequence[Wish]) -> list[Posted]:
    posted = post_messages(principal, wishes)
    prefetch_related_objects([each.message for each in posted], "attachments")
    return posted
