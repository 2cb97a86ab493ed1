import pytest
from django.core.exceptions import ValidationError

from chatcore.accounts.grants import covered, parse, selectors, validate_grant
from chatcore.accounts.roles import MEMBER_GRANTS, ROLES

COVERED = [
    ("messages:write", "messages:write"),
    ("messages:*", "messages:write"),
    ("*:read", "messages:read"),
    ("*:*", "webhooks:manage"),
    ("conversations:read", "conversations:read:a1"),
    ("conversations:read:*", "conversations:read:a1"),
    ("conversations:read:*", "conversations:read"),
    ("conversations:read:a1", "conversations:read:a1"),
    ("models:use:gpt-*", "models:use:gpt-5"),
    ("models:use:openai/gpt-*", "models:use:openai/gpt-5"),
    ("models:use:llama3:8b", "models:use:llama3:8b"),
    ("*:*:a1", "conversations:read:a1"),
]
DENIED = [
    ("messages:read", "messages:write"),
    ("messages:write", "replies:write"),
    ("conversations:read:a1", "conversations:read:a2"),
    ("conversations:read:a1", "conversations:read"),
    ("models:use:gpt-*", "models:use:claude-5"),
    ("models:use:gpt-*", "models:use"),
    ("models:use:gpt-5", "models:use:GPT-5"),
    ("models:read", "models:use:gpt-5"),
    ("*", "messages:write"),
    ("mess*:write", "messages:write"),
    ("messages:wr*", "messages:write"),
    ("conversations:read:a*", "conversations:read:a1"),
    ("", "messages:write"),
    ("messages", "messages:write"),
    ("messages:write ", "messages:write"),
]
NOT_GRANTS = [
    "",
    "*",
    "messages",
    "Messages:write",
    "mess*:write",
    "conversations:read:a*",
    "a:b:c d",
    "a:b:",
    "a:b\n",
]


def asked(text: str) -> tuple[str, str, str]:
    resource, action, *selector = text.split(":", 2)
    return resource, action, "".join(selector)


@pytest.mark.parametrize(("granted", "wanted"), COVERED)
def test_a_grant_covers_what_it_names(granted, wanted):
    assert covered([granted], *asked(wanted))


@pytest.mark.parametrize(("granted", "wanted"), DENIED)
def test_what_is_not_granted_is_denied(granted, wanted):
    assert not covered([granted], *asked(wanted))


def test_nothing_is_granted_by_nothing():
    assert not covered([], "messages", "read")


@pytest.mark.parametrize("text", NOT_GRANTS)
def test_what_is_no_grant_is_refused_where_it_is_written(text):
    with pytest.raises(ValidationError):
        validate_grant(text)


def test_every_shipped_role_is_made_of_grants():
    texts = frozenset().union(*ROLES.values(), *MEMBER_GRANTS.values())
    assert [text for text in texts if parse(text) is None] == []


def test_selectors_name_the_ones_granted_one_by_one():
    granted = ["conversations:read:a1", "conversations:*:a2", "conversations:write", "messages:read"]
    assert selectors(granted, "conversations", "read") == {"a1", "a2"}
    assert selectors(granted, "conversations", "write") is None
    assert selectors(granted, "events", "read") == frozenset()
