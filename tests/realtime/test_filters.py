"""Conditions on events: what they hold of, and what is no condition."""

from typing import Any

import pytest

from chatcore.errors import Invalid
from chatcore.realtime import filters

EVENT = {
    "type": "message.created",
    "conversation": "0192",
    "actor": "user:7",
    "data": {
        "author": "user",
        "text": "Ask @oncall, please",
        "attempt": 2,
        "flag": True,
        "tags": ["disk", 1],
        "usage": {"input": 10},
        "nothing": None,
    },
}

HOLDING: list[dict[str, Any]] = [
    {"path": "type", "eq": "message.created"},
    {"path": "data.nothing", "eq": None},
    {"path": "data.absent.deeper", "eq": None},
    {"path": "data.author", "ne": "integration"},
    {"path": "data.author", "in": ["user", "agent"]},
    {"path": "data.text", "contains": "oncall"},
    {"path": "data.tags", "contains": "disk"},
    {"path": "actor", "prefix": "user:"},
    {"path": "type", "glob": "message.*"},
    {"path": "data.usage", "exists": True},
    {"path": "data.absent", "exists": False},
    {"path": "data.attempt", "gt": 1},
    {"path": "data.usage.input", "lt": 10.5},
    {"path": "data.author", "gt": "agent"},
    {"path": "data.text", "mentions": "OnCall"},
    {"not": {"path": "data.text", "mentions": "call"}},
    {"all": [{"path": "type", "prefix": "message"}, {"not": {"path": "data.flag", "eq": False}}]},
    {"any": [{"path": "type", "eq": "x"}, {"path": "data.flag", "eq": True}]},
]

FAILING: list[dict[str, Any]] = [
    {"path": "type", "eq": "message"},
    {"path": "data.flag", "eq": 1},
    {"path": "data.attempt", "gt": "1"},
    {"path": "data.attempt", "prefix": "2"},
    {"path": "data.absent", "lt": 5},
    {"path": "data.absent", "glob": "*"},
    {"path": "data.absent", "exists": True},
    {"path": "data.text.length", "gt": 1},
    {"path": "data.text", "mentions": "on"},
    {"all": [{"path": "type", "prefix": "message"}, {"path": "type", "eq": "x"}]},
    {"any": [{"path": "type", "eq": "x"}, {"path": "type", "eq": "y"}]},
    {"not": {"path": "data.author", "in": ["user"]}},
]


@pytest.mark.parametrize(
    ("condition", "holds"), [*((one, True) for one in HOLDING), *((one, False) for one in FAILING)]
)
def test_a_condition_holds_or_not(condition: dict[str, Any], holds: bool) -> None:
    filters.check(condition)
    assert filters.matches(condition, EVENT) is holds


def test_no_condition_holds_of_everything() -> None:
    assert filters.matches(None, EVENT)


def nested(depth: int) -> dict[str, Any]:
    condition: dict[str, Any] = {"path": "type", "eq": "x"}
    for _ in range(depth - 1):
        condition = {"not": condition}
    return condition


@pytest.mark.parametrize(
    ("condition", "pointer"),
    [
        ([], "/f"),
        ({}, "/f"),
        ({"path": "type"}, "/f"),
        ({"eq": "x"}, "/f"),
        ({"path": "type", "eq": "x", "ne": "y"}, "/f"),
        ({"path": "type", "like": "x"}, "/f"),
        ({"all": [], "any": []}, "/f"),
        ({"all": []}, "/f/all"),
        ({"any": {"path": "type", "eq": 1}}, "/f/any"),
        ({"all": [{"path": "type", "eq": "x"}, 5]}, "/f/all/1"),
        ({"not": "x"}, "/f/not"),
        ({"path": "a..b", "eq": 1}, "/f/path"),
        ({"path": 5, "eq": 1}, "/f/path"),
        ({"path": "type", "eq": ["x"]}, "/f/eq"),
        ({"path": "type", "eq": "x" * 501}, "/f/eq"),
        ({"path": "type", "in": "x"}, "/f/in"),
        ({"path": "type", "in": []}, "/f/in"),
        ({"path": "type", "glob": ""}, "/f/glob"),
        ({"path": "type", "exists": "yes"}, "/f/exists"),
        ({"path": "type", "gt": True}, "/f/gt"),
        ({"all": [{"path": "type", "eq": n} for n in range(50)]}, "/f"),
        (nested(6), "/f/not/not/not/not/not"),
    ],
)
def test_what_is_no_condition_is_refused_by_its_place(condition: Any, pointer: str) -> None:
    with pytest.raises(Invalid) as refusal:
        filters.check(condition, "/f")
    assert refusal.value.errors[0].pointer == pointer


def test_five_deep_and_fifty_conditions_are_taken() -> None:
    filters.check(nested(5))
    filters.check({"all": [{"path": "type", "eq": n} for n in range(49)]})


def test_an_app_adds_an_operator_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "_OPERATORS", dict(filters._OPERATORS))
    filters.register_operator(
        "longer", lambda value: isinstance(value, int), "a number", lambda a, b: len(a) > b
    )
    condition = {"path": "type", "longer": 3}
    filters.check(condition)
    assert filters.matches(condition, EVENT)


def test_a_hostile_pattern_is_soon_decided() -> None:
    """Backtracking would take longer than the universe has."""
    condition = {"path": "data.text", "glob": "*a" * 200 + "b"}
    filters.check(condition)
    assert not filters.matches(condition, {"data": {"text": "a" * 32_000}})
