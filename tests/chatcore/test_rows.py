"""Rows made and written by the hundred are what the ORM makes and writes one by one."""

import pytest
from django.db import connection
from django.db.models.expressions import DatabaseDefault

from chatcore import rows
from chatcore.ids import uuid7
from chatcore.realtime.models import Event
from conversations.models import Conversation, Message
from external.models import IntakeMessage
from tests.factories import make_conversation, make_principal

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("model", [Conversation, Message, Event, IntakeMessage])
def test_a_new_row_is_as_the_model_makes_it(model: type) -> None:
    ours, theirs = (
        {name: value for name, value in vars(made).items() if name not in ("_state", "id")}
        for made in (rows.new(model), model())
    )
    settled = {name for name, value in theirs.items() if isinstance(value, DatabaseDefault)}
    assert ours.keys() == theirs.keys()
    assert {name: ours[name] for name in ours.keys() - settled} == {
        name: theirs[name] for name in theirs.keys() - settled
    }


def test_a_new_row_refers_to_others_and_shares_no_default() -> None:
    conversation = make_conversation(make_principal())
    one, other = (rows.new(Message, conversation=conversation, parent=None) for _ in range(2))
    assert (one.conversation, one.conversation_id, one.parent) == (conversation, conversation.id, None)
    assert one.id != other.id
    one.params["temperature"] = 0
    assert other.params == {}
    with pytest.raises(TypeError, match="conversations"):
        rows.new(Message, conversations=conversation)


def test_what_is_inserted_is_read_back() -> None:
    conversation = make_conversation(make_principal())
    made = [
        rows.new(
            Message,
            conversation=conversation,
            workspace_id=conversation.workspace_id,
            author=author,
            text=text,
            status=status,
            params=params,
            error=error,
        )
        for author, text, status, params, error in [
            ("user", 'Say "π" \\ and\n🙂', "done", {}, None),
            ("assistant", "", "queued", {"temperature": 0.2, "stop": ["\\"]}, None),
            ("assistant", "", "failed", {}, {"code": "gone"}),
        ]
    ]
    rows.insert(made)
    stored = {message.id: vars(message) for message in Message.objects.filter(conversation=conversation)}
    for message in made:
        assert stored[message.id] | {"_state": None} == vars(message) | {"_state": None}


def test_rows_that_meet_others_are_left_out_and_counted() -> None:
    conversation = make_conversation(make_principal())

    def messages(*client_ids: object) -> list[Message]:
        common = {"conversation": conversation, "workspace_id": conversation.workspace_id, "author": "user"}
        return [rows.new(Message, client_id=client_id, **common) for client_id in client_ids]

    index = "(conversation_id, client_id) where client_id is not null"
    first, second = uuid7(), uuid7()
    assert rows.insert_unless(index, messages(first, None)) == 2
    assert rows.insert_unless(index, messages(second, first, None)) == 2
    assert rows.insert_unless(index, []) == 0


def test_an_event_gets_from_the_database_what_only_it_knows() -> None:
    event = rows.new(Event, workspace_id=uuid7(), type="told", actor="system", audience=[], payload={})
    rows.insert([event], returning=("id", "created_at"))
    stored = Event.objects.get(id=event.id)
    assert (stored.created_at, stored.version) == (event.created_at, 1)
    with connection.cursor() as sql:
        sql.execute("select pg_current_xact_id()::text")
        assert str(stored.xid) == sql.fetchone()[0]
