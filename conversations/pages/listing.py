"""The list of conversations: pinned ones first, the others by day, a page at a time."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from chatcore.accounts.principals import Principal
from conversations.models import Member, Message
from conversations.pages.requests import uuid_of
from conversations.querysets import MemberQuerySet

PAGE = 40
PINNED = 100
RECENT = 4


@dataclass(frozen=True)
class Group:
    """A heading of the list. `key` is the same on every page it goes on over."""

    key: str
    title: str


@dataclass(frozen=True)
class Row:
    """One conversation in the list. `opens` is its group, where it is the first of it."""

    member: Member
    group: Group
    opens: Group | None
    running: bool


@dataclass(frozen=True)
class Listing:
    """A page of rows; `more` is the address of the next one, empty at the end."""

    rows: Sequence[Row]
    more: str
    sought: str = ""
    archived: bool = False


def first_page(principal: Principal, *, sought: str = "", archived: bool = False) -> Listing:
    members = _members(principal, sought=sought, archived=archived)
    pinned = [] if archived or sought else list(members.filter(pinned=True)[:PINNED])
    rest = members if archived or sought else members.filter(pinned=False)
    return _page(rest, before=pinned, sought=sought, archived=archived)


def next_page(
    principal: Principal, position: str, *, under: str = "", sought: str = "", archived: bool = False
) -> Listing:
    """The rows behind `position`, of which those of the group `under` stand below a heading already there."""
    members = _members(principal, sought=sought, archived=archived)
    if not (archived or sought):
        members = members.filter(pinned=False)
    at = _position(position)
    return _page(members.before(*at) if at else members.none(), under=under, sought=sought, archived=archived)


def recent(principal: Principal) -> list[Member]:
    return list(Member.objects.for_principal(principal).open()[:RECENT])


def rows_of(members: Iterable[Member], *, under: str = "") -> list[Row]:
    members = list(members)
    ids = [member.conversation_id for member in members]
    running = set(
        Message.objects.filter(conversation__in=ids, status__in=["queued", "streaming"]).values_list(
            "conversation_id", flat=True
        )
    )
    rows = []
    for member in members:
        group = group_of(member)
        rows.append(
            Row(member, group, group if group.key != under else None, member.conversation_id in running)
        )
        under = group.key
    return rows


def group_of(member: Member) -> Group:
    if member.archived_at:
        return _day_group(member.last_message_at)
    return Group("pinned", _("Pinned")) if member.pinned else _day_group(member.last_message_at)


def _day_group(moment: datetime) -> Group:
    today, day = timezone.localdate(), timezone.localdate(moment)
    if day >= today:
        return Group("today", _("Today"))
    if day == today - timedelta(days=1):
        return Group("yesterday", _("Yesterday"))
    if day > today - timedelta(days=8):
        return Group("week", _("Previous 7 days"))
    return Group(f"{day:%Y-%m}", date_format(day, "F" if day.year == today.year else "F Y"))


def _members(principal: Principal, *, sought: str, archived: bool) -> MemberQuerySet:
    members = Member.objects.for_principal(principal)
    members = members.archived() if archived else members.open()
    return members.filter(conversation__title__icontains=sought) if sought else members


def _page(
    members: MemberQuerySet,
    *,
    before: Sequence[Member] = (),
    under: str = "",
    sought: str,
    archived: bool,
) -> Listing:
    found = list(members[: PAGE + 1])
    page, more = found[:PAGE], ""
    rows = rows_of([*before, *page], under=under)
    if len(found) > PAGE:
        after = f"{page[-1].last_message_at.isoformat()}_{page[-1].conversation_id}"
        query = {"after": after, "under": rows[-1].group.key} | ({"q": sought} if sought else {})
        more = f"{reverse('archived' if archived else 'conversations')}?{urlencode(query)}"
    return Listing(rows, more, sought, archived)


def _position(text: str) -> tuple[datetime, uuid.UUID] | None:
    moment, _underscore, conversation = text.rpartition("_")
    conversation_id = uuid_of(conversation)
    try:
        at = parse_datetime(moment)
    except ValueError:
        return None
    return (at, conversation_id) if at and conversation_id and timezone.is_aware(at) else None
