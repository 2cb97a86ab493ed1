"""What narrows an integration beside its grants: on its own, and where messages are written."""

import uuid
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from chatcore.accounts import constraints
from chatcore.accounts.constraints import ConstraintViolated, validate_constraints
from chatcore.accounts.models import Integration
from chatcore.accounts.principals import Principal
from conversations import actions
from conversations.errors import TooManyReplies
from conversations.models import Conversation, Message
from tests.factories import make_conversation, make_key_principal, make_model, make_principal

SCHEMA = {
    "type": "object",
    "required": ["source"],
    "properties": {"source": {"enum": ["prometheus"]}, "host": {"type": "object"}},
}
TALK = Conversation(id=uuid.uuid4())
INTEGRATION = uuid.uuid4()


@pytest.mark.parametrize(
    ("limits", "asked", "pointer"),
    [
        ({}, {"model": "gpt-5", "conversation": TALK, "thread": "", "metadata": {}}, None),
        ({"models": ["gpt-*"]}, {"model": "gpt-5"}, None),
        ({"models": ["gpt-*"]}, {"model": "claude"}, "/model"),
        ({"models": ["gpt-*"]}, {"conversation": TALK}, None),
        ({"conversations": [str(TALK.id)]}, {"conversation": TALK}, None),
        ({"conversations": [str(uuid.uuid4())]}, {"conversation": TALK}, "/conversation"),
        ({"conversations": [str(TALK.id)]}, {"thread": ""}, "/conversation"),
        ({"threads": ["db-*"]}, {"thread": "db-3"}, None),
        ({"threads": ["db-*"]}, {"thread": "web-1"}, "/conversation"),
        ({"threads": ["db-*"]}, {"conversation": TALK}, "/conversation"),
        ({"threads": ["db-*"], "conversations": [str(TALK.id)]}, {"conversation": TALK}, None),
        ({"metadata_schema": SCHEMA}, {"metadata": {"source": "prometheus"}}, None),
        ({"metadata_schema": SCHEMA}, {"metadata": {}}, "/metadata"),
        ({"metadata_schema": SCHEMA}, {"metadata": {"source": "cron"}}, "/metadata/source"),
        ({"metadata_schema": SCHEMA}, {"model": "any"}, None),
    ],
)
def test_what_is_not_allowed_is_refused_with_its_pointer(
    limits: dict[str, Any], asked: dict[str, Any], pointer: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constraints, "_threads", [])
    if pointer is None:
        constraints.check(limits, INTEGRATION, **asked)
        return
    with pytest.raises(ConstraintViolated) as refused:
        constraints.check(limits, INTEGRATION, **asked)
    assert [problem.pointer for problem in refused.value.errors] == [pointer]


def test_a_conversation_is_known_by_its_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {(INTEGRATION, TALK.id): "db-3"}
    monkeypatch.setattr(constraints, "_threads", [lambda *names: known.get(names)])
    constraints.check({"threads": ["db-*"]}, INTEGRATION, conversation=TALK)
    with pytest.raises(ConstraintViolated):
        constraints.check({"threads": ["db-*"]}, uuid.uuid4(), conversation=TALK)


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"model": ["gpt-*"]},
        {"models": []},
        {"models": "gpt-*"},
        {"conversations": ["db-3"]},
        {"requests_per_minute": 0},
        {"requests_per_minute": "60"},
        {"concurrency": 1.5},
        {"metadata_schema": {"type": "nonsense"}},
        {"metadata_schema": {"$ref": "https://example.com/schema.json"}},
        {"metadata_schema": {"properties": {"a": {"$ref": "file:///etc/passwd"}}}},
        {"metadata_schema": {"$dynamicRef": "https://example.com/schema.json"}},
        {"metadata_schema": {"allOf": [{"$schema": "http://json-schema.org/draft-07/schema#"}]}},
        {"metadata_schema": {"properties": {"a": {"pattern": "^(a+)+$"}}}},
        {"metadata_schema": {"patternProperties": {"^(a+)+$": {}}}},
        {"metadata_schema": {"description": "x" * 20_000}},
    ],
)
def test_constraints_that_cannot_be_kept_are_not_taken(value: Any) -> None:
    with pytest.raises(ValidationError):
        validate_constraints(value)


def test_a_schema_may_refer_to_itself() -> None:
    schema = {"$ref": "#/$defs/any", "$defs": {"any": {"type": "object"}}}
    validate_constraints({"metadata_schema": schema})
    constraints.check({"metadata_schema": schema}, INTEGRATION, metadata={"a": 1})


def test_a_schema_may_say_what_it_is_and_name_properties_as_it_likes() -> None:
    names = {"pattern": {"type": "string"}, "$ref": {"type": "string"}}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "properties": names,
        "type": "object",
    }
    validate_constraints({"metadata_schema": schema})
    constraints.check({"metadata_schema": schema}, INTEGRATION, metadata={"pattern": "a", "$ref": "b"})
    with pytest.raises(ConstraintViolated, match="is not of type"):
        constraints.check({"metadata_schema": schema}, INTEGRATION, metadata={"pattern": 1})


TWICE = {f"{n}": {"allOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(40)} | {"40": {}}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": "#/$defs/0", "$defs": TWICE}, "too long"),
        ({"$ref": "#"}, "without an end"),
        ({"$ref": "#/$defs/none"}, "not in it"),
        ({"properties": {"a": {"pattern": "^(a+)+$"}}}, "regular expression"),
        ({"$dynamicRef": "http://127.0.0.1:9/"}, "outside itself"),
    ],
)
def test_what_cannot_be_followed_lets_nothing_through_and_holds_nobody_up(
    schema: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConstraintViolated, match=words):
        constraints.check({"metadata_schema": schema}, INTEGRATION, metadata={"a": "a" * 60 + "b"})


# --- Where messages are written ------------------------------------------------------------------------------------


def held(owner: Principal, **limits: Any) -> Principal:
    principal = make_key_principal(owner, "*:*")
    assert principal.integration
    Integration.objects.filter(pk=principal.integration.pk).update(constraints=limits)
    principal.integration.refresh_from_db()
    return principal


@pytest.fixture
def owner(db: None) -> Principal:
    return make_principal()


def test_only_the_models_it_may_ask_reply(owner: Principal) -> None:
    allowed, other = make_model("swift"), make_model("deep")
    talk = make_conversation(owner)
    key = held(owner, models=["swi*"])
    posted = actions.post_message(key, talk.id, text="Hello", model=allowed.name)
    assert posted.reply
    for ask in (
        lambda: actions.post_message(key, talk.id, text="Hello", model=other.name),
        lambda: actions.start_conversation(key, model=other.name),
    ):
        with pytest.raises(ConstraintViolated):
            ask()
    assert Message.objects.filter(conversation=talk).count() == 2
    actions.post_message(owner, talk.id, text="Hello", model=other.name)


def test_only_the_conversations_it_may_write_to_take_its_messages(owner: Principal) -> None:
    mine, other = make_conversation(owner, "One"), make_conversation(owner, "Two")
    key = held(owner, conversations=[str(mine.id)])
    actions.post_message(key, mine.id, text="Hello", respond=False)
    for refused in (
        lambda: actions.post_message(key, other.id, text="Hello", respond=False),
        lambda: actions.delete_message(key, other.active_leaf_id),
        lambda: actions.start_conversation(key),
    ):
        with pytest.raises(ConstraintViolated):
            refused()


def test_as_many_replies_as_it_may_have_run_at_once(owner: Principal) -> None:
    make_model("swift")
    key, other = held(owner, concurrency=2), held(owner, concurrency=2)
    first, second = (
        actions.post_message(key, make_conversation(owner).id, text="Hello", model="swift").reply
        for _ in "ab"
    )
    with pytest.raises(TooManyReplies):
        actions.post_message(key, make_conversation(owner).id, text="Hello", model="swift")
    actions.post_message(other, make_conversation(owner).id, text="Hello", model="swift")
    assert first
    Message.objects.filter(pk=first.pk).update(status="done")
    actions.post_message(key, make_conversation(owner).id, text="Hello", model="swift")
    assert second
