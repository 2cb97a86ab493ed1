"""Reads of the tree of messages."""

import pytest

from chatcore.ids import uuid7
from conversations.models import Conversation, Message
from tests.factories import make_conversation, make_principal


def grow(conversation: Conversation, *edges: str) -> dict[str, Message]:
    """Messages named by letters, in the order given: `b<a` stands below a, `a` alone at the root."""
    grown: dict[str, Message] = {}
    for edge in edges:
        name, _, above = edge.partition("<")
        grown[name] = Message.objects.create(
            workspace_id=conversation.workspace_id,
            conversation=conversation,
            parent=grown.get(above),
            author=Message.Author.USER,
            text=name,
        )
    return grown


#   a ─ b ─ d          A second tree of the same conversation:   x ─ y
#    └─ c ─ e
#         └ f
TREE = ("a", "b<a", "c<a", "x", "d<b", "e<c", "y<x", "f<c")


@pytest.fixture
def tree(db: None) -> dict[str, Message]:
    owner = make_principal()
    grow(make_conversation(owner), "other root", "other leaf<other root")
    return grow(make_conversation(owner), *TREE)


def shape(messages: list[Message]) -> str:
    return " ".join(f"{one.text}{one.sibling_number}/{one.sibling_count}" for one in messages)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("leaf", "limit", "expected"),
    [
        ("f", 30, "a1/2 c2/2 f2/2"),
        ("e", 30, "a1/2 c2/2 e1/2"),
        ("d", 30, "a1/2 b1/2 d1/1"),
        ("y", 30, "x2/2 y1/1"),
        ("b", 30, "a1/2 b1/2"),
        ("a", 30, "a1/2"),
        ("f", 2, "c2/2 f2/2"),
        ("f", 1, "f2/2"),
    ],
)
def test_a_branch_is_the_path_to_the_leaf_with_places_among_siblings(
    tree: dict[str, Message], leaf: str, limit: int, expected: str
) -> None:
    assert shape(Message.objects.branch(tree[leaf].id, limit)) == expected


def test_no_leaf_has_no_branch(db: None) -> None:
    assert Message.objects.branch(None) == []
    assert Message.objects.branch(uuid7()) == []


def test_a_path_is_the_branch_without_siblings(tree: dict[str, Message]) -> None:
    assert [one.text for one in Message.objects.path(tree["e"].id, 2)] == ["c", "e"]


@pytest.mark.parametrize(("start", "end"), [("a", "f"), ("b", "d"), ("c", "f"), ("x", "y"), ("d", "d")])
def test_the_newest_leaf_is_found_by_taking_the_newest_child_each_time(
    tree: dict[str, Message], start: str, end: str
) -> None:
    assert Message.objects.newest_leaf_below(tree[start].id) == tree[end].id


@pytest.mark.parametrize(("start", "names"), [("a", "abcdef"), ("c", "cef"), ("d", "d"), ("x", "xy")])
def test_below_is_the_message_and_everything_under_it(
    tree: dict[str, Message], start: str, names: str
) -> None:
    found = Message.objects.below(tree[start].id)
    assert sorted(found) == sorted(tree[name].id for name in names)
