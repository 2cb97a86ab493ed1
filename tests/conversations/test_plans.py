"""How the product's reads are carried out: by which index on tables that are not small, and in how many queries."""

import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from pytest_django.plugin import DjangoDbBlocker

from chatcore.accounts.principals import Principal
from chatcore.realtime.cursors import Cursor
from chatcore.realtime.feeds import feed_of
from chatcore.realtime.log import positions_after, read_page
from chatcore.realtime.models import Event
from conversations import claims, running
from conversations.enqueue import enqueue_titles
from conversations.models import Conversation, Message
from tests.api import CONVERSATIONS, key_client
from tests.factories import make_conversation, make_model, make_principal, make_reply

# What is filled in once is an open transaction, which holds the log's horizon of every database of the cluster.
pytestmark = pytest.mark.xdist_group("plans")


@pytest.fixture(scope="module")
def filled(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[SimpleNamespace]:
    """Twenty thousand of everything for the tests of this module; gone afterwards."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield fill()
        transaction.set_rollback(True)


def fill() -> SimpleNamespace:
    """Two readers of 10,000 conversations each, with a question and a reply in each of them, and one long thread."""
    make_model()
    reader, other = make_principal(), make_principal()
    with connection.cursor() as sql:
        sql.execute("set local session_replication_role = replica")  # no check of each row's references
        for owner in (other, reader):
            conversation = make_conversation(owner, "Question")
            multiply_conversation(owner, conversation)
        key = "nextval(pg_get_serial_sequence('realtime_event', 'id'))"
        workspace = f"case when n %% 20 = 0 then '{reader.workspace.id}' else gen_random_uuid() end"
        for event in Event.objects.all():
            multiply(event, id=key, workspace_id=workspace)
        leaf = chain(conversation, 500)
        # What the running transaction wrote lies above the log's horizon: put it where it will be tomorrow.
        sql.execute("update realtime_event set xid = (3 + id / 100)::text::xid8")
        sql.execute("set local session_replication_role = origin")
        sql.execute("analyze")
        sql.execute("select max(xid::text::bigint) from realtime_event")
        (newest,) = sql.fetchone()
    return SimpleNamespace(
        reader=reader,
        key=key_client(reader),
        conversation=conversation,
        leaf=leaf,
        cursor=Cursor(newest - 5, 0),
    )


def multiply_conversation(owner: Principal, conversation: Conversation) -> None:
    ids = multiply(conversation, id="uuidv7()")
    moment = "timestamptz '2026-01-01' + n / 3 * interval '1 second'"
    multiply(
        conversation.members.get(),
        ids=ids,
        id="nextval(pg_get_serial_sequence('conversations_member', 'id'))",
        conversation_id="(%(ids)s::uuid[])[n]",
        last_message_at=moment,
        archived_at=f"case when n %% 7 = 0 then {moment} end",
        pinned="n %% 50 < 2",
    )
    question = conversation.active_leaf
    assert question
    questions = multiply(question, ids=ids, id="uuidv7()", conversation_id="(%(ids)s::uuid[])[n]")
    status = "case n %% 1000 when 0 then 'queued' when 1 then 'streaming' else 'done' end"
    reply = make_reply(owner, conversation)
    conversation_of = (
        "(select conversation_id from conversations_message q where q.id = (%(ids)s::uuid[])[n])"
    )
    multiply(
        reply,
        ids=questions,
        id="uuidv7()",
        parent_id="(%(ids)s::uuid[])[n]",
        conversation_id=conversation_of,
        status=status,
    )


def multiply(row: Model, *, ids: list[uuid.UUID] | None = None, **columns: str) -> list[uuid.UUID]:
    """10,000 copies of the row, which differ in these columns: SQL over `n`, the copy's number. Returns their ids."""
    table = row._meta.db_table
    changes = ", ".join(f"'{column}', {value}" for column, value in columns.items())
    with connection.cursor() as sql:
        sql.execute(
            f"""
            insert into {table} select copy.* from {table} original, generate_series(1, 10000) n,
                lateral jsonb_populate_record(original, jsonb_build_object('n', n, {changes})) copy
            where original.id = %(id)s returning id
            """,
            {"id": row.pk, "ids": ids},
        )
        return [made for (made,) in sql.fetchall()]


def chain(conversation: Conversation, length: int) -> Message:
    """So many messages, each below the one before; the last is the active leaf."""
    above = conversation.active_leaf
    made: list[Message] = []
    for _ in range(length):
        above = Message(
            workspace_id=conversation.workspace_id,
            conversation=conversation,
            parent=above,
            author=Message.Author.USER,
            text="Further.",
        )
        made.append(above)
    Message.objects.bulk_create(made)
    conversation.active_leaf = above
    conversation.save()
    return made[-1]


def next_page(found: SimpleNamespace, address: str) -> Any:
    return found.key.get(found.key.get(address).json()["next"])


def messages_of(found: SimpleNamespace) -> str:
    return f"{CONVERSATIONS}{found.conversation.id}/messages/"


# Each read of the product, and the index that serves it.
READS: dict[str, tuple[Callable[[SimpleNamespace], Any], str]] = {
    "open conversations": (lambda f: f.key.get(CONVERSATIONS), "member_open_list"),
    "more open conversations": (lambda f: next_page(f, CONVERSATIONS), "member_open_list"),
    "archived conversations": (lambda f: f.key.get(f"{CONVERSATIONS}?archived=true"), "member_archived_list"),
    "pinned conversations": (lambda f: f.key.get(f"{CONVERSATIONS}?pinned=true"), "member_pinned_list"),
    "messages": (lambda f: f.key.get(messages_of(f)), "message_in_conversation"),
    "more messages": (lambda f: next_page(f, messages_of(f)), "message_in_conversation"),
    "the active branch": (lambda f: f.key.get(f"{messages_of(f)}?branch=active"), "message_children"),
    "the newest leaf": (lambda f: Message.objects.newest_leaf_below(f.leaf.parent_id), "message_children"),
    "everything below": (lambda f: Message.objects.below(f.leaf.parent_id), "message_children"),
    "events missed": (
        lambda f: read_page(f.cursor, feed_of(f.reader), 100),
        "event_workspace_order",
    ),
    "the tail of the log": (lambda f: positions_after(f.cursor, 500), "event_order"),
    "a claim of queued replies": (lambda f: claims.claim_replies(5), "message_queued"),
    "running replies": (lambda f: running.read_running([f.conversation.id]), "message_streaming"),
    "titles to be written": (lambda f: enqueue_titles([f.leaf.parent_id]), "message_in_conversation"),
    "stalled replies": (lambda f: claims.sweep_stalled(), "message_streaming"),
}
BIG = ("conversations_message", "conversations_member", "realtime_event")


@pytest.mark.django_db
@pytest.mark.parametrize("name", READS)
def test_a_read_is_served_by_its_index_and_scans_no_big_table(filled: SimpleNamespace, name: str) -> None:
    read, index = READS[name]
    asked: list[tuple[str, Any]] = []

    def notice(execute: Callable[..., Any], sql: str, params: Any, *rest: Any) -> Any:
        asked.append((sql, params))
        return execute(sql, params, *rest)

    with connection.execute_wrapper(notice):
        read(filled)
    plans = [plan_of(sql, params) for sql, params in asked if is_read(sql)]
    assert any(f" {index} " in plan for plan in plans), "\n\n".join(plans)
    for plan in plans:
        assert not any(f"Seq Scan on {table} " in plan for table in BIG), plan


def is_read(statement: str) -> bool:
    words = statement.strip().lower()
    reads = words.startswith(("select", "with", "update conversations_message m"))
    return reads and any(table in words for table in BIG)


def plan_of(statement: str, params: Any) -> str:
    with connection.cursor() as sql:
        sql.execute("explain " + statement, params)
        return "\n".join(row[0] for row in sql.fetchall())


LISTS: dict[str, Callable[[Conversation], str]] = {
    "conversations": lambda conversation: CONVERSATIONS,
    "messages": lambda conversation: f"{CONVERSATIONS}{conversation.id}/messages/",
    "branch": lambda conversation: f"{CONVERSATIONS}{conversation.id}/messages/?branch=active",
    "models": lambda conversation: "/api/v1/models/",
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", LISTS)
def test_thirty_rows_take_as_many_queries_as_three(name: str) -> None:
    owner = make_principal()
    conversation = make_conversation(owner)
    client, address = key_client(owner), LISTS[name](conversation)
    client.get(address)  # notes the key's use, once

    found = []
    for more in (3, 27):
        add_rows(owner, conversation, more)
        with CaptureQueriesContext(connection) as captured:
            rows = client.get(address).json()["results"]
        found.append((len(rows), len(captured)))
    (few, queries), (many, as_many) = found
    assert many == few + 27
    assert queries == as_many


def add_rows(owner: Principal, conversation: Conversation, count: int) -> None:
    """More of everything that is listed, each with all it refers to."""
    for _ in range(count):
        model = make_model()
        make_conversation(owner, model=model.name)
        make_reply(owner, conversation, model=model, user=owner.user)
