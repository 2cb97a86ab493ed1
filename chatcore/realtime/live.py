"""The event log for clients that ask now and then instead of listening."""

import uuid
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import BaseModel, Field

from chatcore.accounts.ninja import principal_of
from chatcore.offload import in_request
from chatcore.realtime import cursors
from chatcore.realtime.catalogue import EventFrame
from chatcore.realtime.feeds import Feed, feed_of
from chatcore.realtime.log import followable, read_page
from chatcore.realtime.topics import registry

router = Router(tags=["events"])


class EventQuery(BaseModel):
    """Which events."""

    after: str | None = Field(
        None, description="A cursor. Left out: no events; the answer's cursor is where to begin."
    )
    limit: int = Field(100, ge=1, le=1000, description="Events at most.")
    conversation: uuid.UUID | None = Field(None, description="Of this conversation alone.")


class EventPage(BaseModel):
    """Events, oldest first. Ask again with `cursor`: at once while `has_more`, else when you like."""

    results: list[EventFrame]
    cursor: str
    has_more: bool


@router.get(
    "/events",
    response=EventPage,
    operation_id="list_events",
    summary="What has happened since",
    openapi_extra={"responses": {410: {"$ref": "#/components/responses/Gone"}}},
)
async def events(request: HttpRequest, wanted: Query[EventQuery]) -> dict[str, Any]:
    """A person's key or token reads what that person may see; a key that acts for nobody, with `events:read`, its
    whole workspace. An event appears once no older one can appear before it, most often at once. `410` means that
    the cursor is older than seven days or more than 5,000 events behind: read the state again and begin anew.
    """
    principal = principal_of(request)

    def read() -> dict[str, Any]:
        feed = feed_of(principal)
        if wanted.conversation is not None:
            registry.topics["conversation"].check(principal, str(wanted.conversation))
            feed = feed.narrowed(frozenset([wanted.conversation]))
        return _page(feed, wanted.after, wanted.limit)

    return await in_request(read)


def _page(feed: Feed, after: str | None, limit: int) -> dict[str, Any]:
    if after is None:
        return {"results": [], "cursor": cursors.encode(cursors.now()), "has_more": False}
    page = read_page(followable(after, feed), feed, limit)
    frames = [body | {"cursor": cursor} for body, cursor in page.frames]
    return {"results": frames, "cursor": page.cursor, "has_more": page.has_more}
