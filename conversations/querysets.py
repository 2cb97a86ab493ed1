"""Reads, chainable. Access is decided here: what `for_principal` leaves out does not exist for the asker."""

import uuid
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection, models
from django.db.models import F, Q
from django.db.models.fields.tuple_lookups import Tuple, TupleLessThan

from chatcore.accounts.principals import Principal

if TYPE_CHECKING:
    from conversations.models import Attachment, Message

BRANCH_PAGE = 30
PATH_MEASURED = 1_000


class ConversationQuerySet(models.QuerySet[Any]):
    def for_principal(
        self, principal: Principal, grant: str = "conversations:read"
    ) -> "ConversationQuerySet":
        """The conversations of the principal's workspace that its user is a member of and its key may touch."""
        if principal.user is None:
            return self.none()
        mine = self.of_member(principal.workspace.id, principal.user.id)
        allowed = principal.selectors(grant)
        return mine if allowed is None else mine.filter(id__in=_uuids(allowed))

    def of_member(self, workspace: uuid.UUID, user: uuid.UUID) -> "ConversationQuerySet":
        return self.filter(workspace=workspace, members__user=user)


class MemberQuerySet(models.QuerySet[Any]):
    def for_principal(self, principal: Principal) -> "MemberQuerySet":
        """The principal's own list of conversations, newest first."""
        if principal.user is None:
            return self.none()
        mine = self.filter(user=principal.user, workspace=principal.workspace)
        allowed = principal.selectors("conversations:read")
        if allowed is not None:
            mine = mine.filter(conversation_id__in=_uuids(allowed))
        return mine.select_related("conversation__model").order_by("-last_message_at", "-conversation_id")

    def open(self) -> "MemberQuerySet":
        return self.filter(archived_at__isnull=True)

    def archived(self) -> "MemberQuerySet":
        return self.filter(archived_at__isnull=False)

    def before(self, last_message_at: datetime, conversation_id: uuid.UUID) -> "MemberQuerySet":
        """Older than the given position, by row comparison: the OR form reads 40,000 rows where this reads 50."""
        position = (last_message_at, conversation_id)
        return self.filter(TupleLessThan(Tuple(F("last_message_at"), F("conversation_id")), position))


class MessageQuerySet(models.QuerySet[Any]):
    def for_principal(self, principal: Principal, grant: str = "messages:read") -> "MessageQuerySet":
        if principal.user is None:
            return self.none()
        mine = self.filter(workspace=principal.workspace, conversation__members__user=principal.user)
        allowed = principal.selectors(grant)
        return mine if allowed is None else mine.filter(conversation_id__in=_uuids(allowed))

    def branch(self, leaf_id: uuid.UUID | None, limit: int = BRANCH_PAGE) -> list["Message"]:
        """The newest `limit` messages of the path that ends at the leaf, oldest first.

        Each carries `sibling_count` and `sibling_number` (from 1) for its branch arrows.
        """
        if leaf_id is None:
            return []
        return list(self.raw(_BRANCH, {"leaf": leaf_id, "limit": limit}))

    def newest_leaf_below(self, message_id: uuid.UUID) -> uuid.UUID:
        """The end of the branch through the message that was added to last; the message itself if it is a leaf."""
        rows = list(self.raw(_NEWEST_LEAF, {"message": message_id}))
        return rows[0].id if rows else message_id

    def below(self, message_id: uuid.UUID) -> list[uuid.UUID]:
        """The ids of the message and everything under it."""
        return [row.id for row in self.raw(_BELOW, {"message": message_id})]

    def erase(self) -> None:
        """Delete them with all that hangs on them, in any app, in one statement for each table."""
        for relation in self.model._meta.related_objects:
            if relation.on_delete is models.CASCADE and relation.related_model is not self.model:
                hanging = relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": self})
                hanging.delete()
        self._raw_delete(self.db)

    def size_of_path(self, leaf_id: uuid.UUID) -> tuple[int, int]:
        """How many messages the path to the leaf has, and how many bytes they weigh: read without their texts."""
        with connection.cursor() as sql:
            sql.execute(_SIZE, {"leaf": leaf_id, "limit": PATH_MEASURED})
            messages, size = sql.fetchone()
        return messages, size

    def path(self, leaf_id: uuid.UUID, limit: int) -> list["Message"]:
        """Like `branch`, without the sibling counts: what a model is given to read."""
        return self.paths([leaf_id], limit).get(leaf_id, [])

    def paths(self, leaves: Collection[uuid.UUID], limit: int) -> "dict[uuid.UUID, list[Message]]":
        """The `path` to each leaf, by the leaf's id, in one query. Each message says by `has_files` whether it has
        attachments.
        """
        found: dict[uuid.UUID, list[Message]] = {}
        for message in self.raw(_PATHS, {"leaves": list(leaves), "limit": limit}):
            found.setdefault(message.leaf, []).append(message)
        return found


class AttachmentQuerySet(models.QuerySet[Any]):
    def for_principal(self, principal: Principal, grant: str = "messages:read") -> "AttachmentQuerySet":
        """Those of messages the principal may read, and its own that wait for one."""
        sent = Q(message__conversation__members__user=principal.user) if principal.user else Q(pk__in=())
        allowed = principal.selectors(grant)
        if allowed is not None:
            sent &= Q(message__conversation__in=_uuids(allowed))
        own = Q(message=None) & _uploaded_by(principal) if allowed != frozenset() else Q(pk__in=())
        return self.filter(sent | own, workspace=principal.workspace)

    def waiting_of(self, principal: Principal) -> "AttachmentQuerySet":
        """What the principal uploaded and has not sent yet."""
        return self.filter(_uploaded_by(principal), workspace=principal.workspace, message=None)

    def of_messages(self, messages: Iterable["Message"]) -> "dict[uuid.UUID, list[Attachment]]":
        """By the message's id, each in order."""
        found: dict[uuid.UUID, list[Attachment]] = {}
        asking = [each.id for each in messages]
        for row in self.filter(message__in=asking) if asking else ():
            found.setdefault(row.message_id, []).append(row)
        return found


def _uploaded_by(principal: Principal) -> Q:
    """By the same user, or by the same integration whomever it acts for."""
    by = Q(user=principal.user) if principal.user else Q(pk__in=())
    return by | Q(integration=principal.integration) if principal.integration else by


class ComparisonQuerySet(models.QuerySet[Any]):
    def for_principal(self, principal: Principal, grant: str = "messages:read") -> "ComparisonQuerySet":
        """Those in the conversations that the principal's user is a member of and its key may touch."""
        if principal.user is None:
            return self.none()
        mine = self.filter(workspace=principal.workspace, conversation__members__user=principal.user)
        allowed = principal.selectors(grant)
        return mine if allowed is None else mine.filter(conversation_id__in=_uuids(allowed))

    def chosen(self) -> "ComparisonQuerySet":
        """Those in which somebody has preferred a reply."""
        return self.filter(chosen__isnull=False)


_UPWARDS = """
with recursive up as (
    select m.*, 1 as step from conversations_message m where m.id = %(leaf)s
    union all
    select p.*, up.step + 1 from up join conversations_message p on p.id = up.parent_id where up.step < %(limit)s
)
"""

_PATHS = """
with recursive up as (
    select m.*, m.id as leaf, 1 as step from conversations_message m where m.id = any(%(leaves)s::uuid[])
    union all
    select p.*, up.leaf, up.step + 1
    from up join conversations_message p on p.id = up.parent_id where up.step < %(limit)s
)
select up.*, exists (select from conversations_attachment a where a.message_id = up.id) as has_files
from up order by up.leaf, up.step desc
"""

_SIZE = """
with recursive up as (
    select m.id, m.parent_id, octet_length(m.text) as size, 1 as step
    from conversations_message m where m.id = %(leaf)s
    union all
    select p.id, p.parent_id, octet_length(p.text), up.step + 1
    from up join conversations_message p on p.id = up.parent_id where up.step < %(limit)s
)
select count(*), coalesce(sum(size), 0) + coalesce(
    (select sum(weight) from conversations_attachment where message_id in (select id from up)), 0
) from up
"""

_BRANCH = f"""{_UPWARDS}
select up.*, siblings.total as sibling_count, siblings.number as sibling_number
from up left join lateral (
    select count(*) as total, count(*) filter (where s.id <= up.id) as number
    from conversations_message s
    where (up.parent_id is not null and s.parent_id = up.parent_id)
       or (up.parent_id is null and s.parent_id is null and s.conversation_id = up.conversation_id)
) siblings on true
order by up.step desc
"""  # noqa: S608

_BELOW = """
with recursive down as (
    select m.id from conversations_message m where m.id = %(message)s
    union all
    select c.id from down join conversations_message c on c.parent_id = down.id
)
select id from down
"""

_NEWEST_LEAF = """
with recursive down as (
    select m.id, 1 as step from conversations_message m where m.id = %(message)s
    union all
    select child.id, down.step + 1 from down cross join lateral (
        select c.id from conversations_message c where c.parent_id = down.id order by c.id desc limit 1
    ) child
)
select id from down order by step desc limit 1
"""


def _uuids(values: frozenset[str]) -> list[uuid.UUID]:
    found = []
    for value in values:
        try:
            found.append(uuid.UUID(value))
        except ValueError:
            continue
    return found
