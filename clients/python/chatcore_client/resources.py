"""Conversations, messages and models: to list, read, change and delete."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final, Literal, TypeVar
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from chatcore_client.errors import UnexpectedAnswer
from chatcore_client.flow import Emit, Flow, Listing, Request, Settings, path, send
from chatcore_client.records import Conversation, Message, Model, Posted

T = TypeVar("T")


class Unset(Enum):
    """What is not named stays as it is; None is a value."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET
Left = Literal[Unset.UNSET]


def given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not UNSET}


def new_client_id() -> str:
    """What is posted twice under one is stored once."""
    return str(uuid4())


def create_conversation(
    settings: Settings,
    *,
    title: str | Left = UNSET,
    model: str | Left | None = UNSET,
    system: str | Left = UNSET,
    params: Mapping[str, Any] | Left = UNSET,
) -> Flow[Conversation]:
    """Start an empty one. Not tried again once the server may have heard of it."""
    body = given(title=title, model=model, system=system, params=params)
    answer = yield from send(
        settings, Request("POST", path("conversations", ""), body=body, repeatable=False)
    )
    return Conversation.of(answer.json)


def get_conversation(settings: Settings, conversation: str) -> Flow[Conversation]:
    answer = yield from send(settings, Request("GET", path("conversations", conversation, "")))
    return Conversation.of(answer.json)


def list_conversations(
    settings: Settings,
    *,
    archived: bool = False,
    pinned: bool | None = None,
    title: str | None = None,
    page_size: int = 50,
) -> Listing[Conversation]:
    """The one with the newest message first. `title`: only those whose title contains it."""
    query = {"archived": str(archived).lower(), "page_size": str(page_size)}
    if pinned is not None:
        query["pinned"] = str(pinned).lower()
    if title:
        query["title"] = title
    yield from _every(settings, path("conversations", ""), query, Conversation.of)


def update_conversation(
    settings: Settings,
    conversation: str,
    *,
    title: str | Left = UNSET,
    model: str | Left | None = UNSET,
    system: str | Left = UNSET,
    params: Mapping[str, Any] | Left = UNSET,
    archived: bool | Left = UNSET,
    pinned: bool | Left = UNSET,
) -> Flow[Conversation]:
    """Change what is named. `archived` and `pinned` are yours alone, the rest is everybody's."""
    body = given(title=title, model=model, system=system, params=params, archived=archived, pinned=pinned)
    answer = yield from send(settings, Request("PATCH", path("conversations", conversation, ""), body=body))
    return Conversation.of(answer.json)


def delete_conversation(settings: Settings, conversation: str) -> Flow[None]:
    """For good, with everything in it."""
    yield from send(settings, Request("DELETE", path("conversations", conversation, "")))


def list_messages(
    settings: Settings, conversation: str, *, branch: str | None = None, page_size: int = 200
) -> Listing[Message]:
    """Every message in the order of writing; together they are a tree by `parent`.

    `branch`: only the path that ends at this message, or the shown one ("active"), from its beginning. It is read
    from its end, so the whole of it is read before the first message comes.
    """
    address = path("conversations", conversation, "messages", "")
    query = {"page_size": str(page_size)}
    if branch is None:
        yield from _every(settings, address, query, Message.of)
        return
    query["branch"] = branch
    pages: list[list[Message]] = []
    while query:
        rows, query = yield from _page(settings, address, query)
        pages.append([Message.of(row) for row in rows])
    for page in reversed(pages):
        for message in page:
            yield Emit(message)


def get_message(settings: Settings, message: str) -> Flow[Message]:
    """A reply that is being made is as it was saved last, half a second ago at most."""
    answer = yield from send(settings, Request("GET", path("messages", message, "")))
    return Message.of(answer.json)


def post_message(
    settings: Settings,
    conversation: str,
    content: str,
    *,
    respond: bool = False,
    model: str | Left | None = UNSET,
    parent: str | Left | None = UNSET,
    params: Mapping[str, Any] | Left = UNSET,
    client_id: str | None = None,
) -> Flow[Posted]:
    """Store a message below the end of the shown branch, or below `parent`; None begins anew.

    No model is asked unless `respond` is true; to be told the reply, use `replies.ask`.
    """
    own = client_id or new_client_id()
    body = {"content": content, "respond": respond, "client_id": own}
    body |= given(model=model, parent=parent, params=params)
    request = Request("POST", path("conversations", conversation, "messages", ""), body=body)
    answer = yield from send(settings, request)
    return Posted.of(answer.json)


def delete_message(settings: Settings, message: str) -> Flow[None]:
    """With everything below it, for good."""
    yield from send(settings, Request("DELETE", path("messages", message, "")))


def list_models(settings: Settings) -> Listing[Model]:
    """Those you may use, by name."""
    yield from _every(settings, path("models", ""), {"page_size": "200"}, Model.of)


def _every(
    settings: Settings, address: str, query: Mapping[str, str], read: Callable[[Any], T]
) -> Listing[T]:
    while query:
        rows, query = yield from _page(settings, address, query)
        for row in rows:
            yield Emit(read(row))


def _page(
    settings: Settings, address: str, query: Mapping[str, str]
) -> Flow[tuple[list[Any], dict[str, str]]]:
    """The rows of one page, and the query of the next one, empty at the end.

    Of the address in `next` only the query is used: whatever it says, the key goes to no other place.
    """
    page = (yield from send(settings, Request("GET", address, query=query))).json
    if not isinstance(page, dict) or not isinstance(page.get("results"), list):
        raise UnexpectedAnswer("A page of a list was expected; the server sent something else.")
    following = page.get("next")
    return page["results"], dict(
        parse_qsl(urlsplit(following).query, keep_blank_values=True)
    ) if following else {}
