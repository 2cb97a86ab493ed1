"""Conditions on events, as small JSON: `all`, `any` and `not` around comparisons of what stands at a dotted path.

    {"all": [{"path": "data.author", "eq": "user"}, {"not": {"path": "data.text", "prefix": "/"}}]}

A path leads into the event as it travels (see docs/events.md). What is not there equals null, and nothing but `exists`,
`eq` and `ne` holds of it. Apps above add operators of their own by `register_operator`.
"""

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

from chatcore.errors import FieldProblem, Invalid

Condition: TypeAlias = Mapping[str, Any]
Test: TypeAlias = Callable[[Any, Any], bool]

MAX_DEPTH, MAX_NODES = 5, 50
MAX_TEXT, MAX_LIST = 500, 100
_PATH = re.compile(r"[A-Za-z0-9_]{1,60}(\.[A-Za-z0-9_]{1,60}){0,9}")


def _is_scalar(value: Any) -> bool:
    is_short = not isinstance(value, str) or len(value) <= MAX_TEXT
    return (value is None or isinstance(value, str | int | float | bool)) and is_short


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_ordered(value: Any) -> bool:
    return _is_number(value) or _is_text(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and 0 < len(value) <= MAX_LIST and all(map(_is_scalar, value))


def _same(found: Any, wanted: Any) -> bool:
    """Python's True equals 1, JSON's does not."""
    return bool(found == wanted) and isinstance(found, bool) == isinstance(wanted, bool)


def _contains(found: Any, wanted: Any) -> bool:
    if isinstance(found, str):
        return isinstance(wanted, str) and wanted in found
    return isinstance(found, list) and any(_same(item, wanted) for item in found)


def _comparable(found: Any, wanted: Any) -> bool:
    both_text = isinstance(found, str) and isinstance(wanted, str)
    return both_text or (_is_number(found) and _is_number(wanted))


def _mentions(found: Any, name: Any) -> bool:
    """`@name` as a word of its own, in any case."""
    return (
        isinstance(found, str)
        and re.search(rf"(?<![\w@])@{re.escape(name)}(?![\w-])", found, re.IGNORECASE) is not None
    )


_OPERATORS: dict[str, tuple[Callable[[Any], bool], str, Test]] = {
    "eq": (_is_scalar, "a text, a number, true, false or null", _same),
    "ne": (_is_scalar, "a text, a number, true, false or null", lambda found, value: not _same(found, value)),
    "in": (
        _is_list,
        f"a list of 1 to {MAX_LIST} values",
        lambda found, values: any(_same(found, one) for one in values),
    ),
    "contains": (_is_scalar, "a text or another value", _contains),
    "prefix": (_is_text, "a text", lambda found, text: isinstance(found, str) and found.startswith(text)),
    "glob": (_is_text, "a pattern", lambda found, glob: isinstance(found, str) and fnmatchcase(found, glob)),
    "exists": (
        lambda value: isinstance(value, bool),
        "true or false",
        lambda found, wanted: (found is not None) is wanted,
    ),
    "gt": (
        _is_ordered,
        "a number or a text",
        lambda found, value: _comparable(found, value) and bool(found > value),
    ),
    "lt": (
        _is_ordered,
        "a number or a text",
        lambda found, value: _comparable(found, value) and bool(found < value),
    ),
    "mentions": (_is_text, "a name", _mentions),
}


def register_operator(name: str, is_operand: Callable[[Any], bool], words: str, test: Test) -> None:
    """Let comparisons use `name`. `words` say what its operand must be; `test(found, operand)` decides."""
    _OPERATORS[name] = (is_operand, words, test)


def check(condition: Any, pointer: str = "") -> None:
    """Raises Invalid, which names every place that is not as it must be; pointers begin with `pointer`."""
    checked = _Checked()
    checked.look_at(condition, pointer, 1)
    problems = checked.problems
    if checked.nodes > MAX_NODES:
        problems.insert(0, FieldProblem(pointer, f"A filter has at most {MAX_NODES} conditions.", "too_many"))
    if problems:
        words = "; ".join(f"{found.pointer or 'filter'}: {found.detail}" for found in problems[:3])
        raise Invalid(words, errors=problems[:20])


class _Checked:
    """How many conditions there are, and what is wrong with them."""

    def __init__(self) -> None:
        self.nodes = 0
        self.problems: list[FieldProblem] = []

    def look_at(self, condition: Any, pointer: str, depth: int) -> None:
        self.nodes += 1
        if depth > MAX_DEPTH:
            self._complain(pointer, f"Conditions stand at most {MAX_DEPTH} deep.")
        elif not isinstance(condition, dict):
            self._complain(pointer, "A condition is an object.")
        elif set(condition) in ({"all"}, {"any"}):
            (word,) = condition
            self._look_at_parts(condition[word], f"{pointer}/{word}", depth + 1)
        elif set(condition) == {"not"}:
            self.look_at(condition["not"], f"{pointer}/not", depth + 1)
        else:
            self._look_at_comparison(condition, pointer)

    def _look_at_parts(self, parts: Any, pointer: str, depth: int) -> None:
        if not isinstance(parts, list) or not 0 < len(parts) <= MAX_NODES:
            self._complain(pointer, f"A list of 1 to {MAX_NODES} conditions stands here.")
            return
        for number, part in enumerate(parts):
            self.look_at(part, f"{pointer}/{number}", depth)

    def _look_at_comparison(self, condition: Mapping[str, Any], pointer: str) -> None:
        operators = set(condition) - {"path"}
        if len(operators) != 1 or not operators <= _OPERATORS.keys() or "path" not in condition:
            words = ", ".join(_OPERATORS)
            self._complain(pointer, f"all, any, not, or a path with one of {words} stands here.")
            return
        if not isinstance(condition["path"], str) or not _PATH.fullmatch(condition["path"]):
            self._complain(f"{pointer}/path", "A path is names with dots between them, such as data.author.")
        (operator,) = operators
        is_operand, words, _ = _OPERATORS[operator]
        if not is_operand(condition[operator]):
            self._complain(f"{pointer}/{operator}", f"This must be {words}.")

    def _complain(self, pointer: str, detail: str) -> None:
        self.problems.append(FieldProblem(pointer, detail, "invalid_filter"))


def matches(condition: Condition | None, event: Mapping[str, Any]) -> bool:
    """Whether the event, as it travels, meets a condition that was checked. None is met by every one."""
    if condition is None:
        return True
    if "all" in condition:
        return all(matches(part, event) for part in condition["all"])
    if "any" in condition:
        return any(matches(part, event) for part in condition["any"])
    if "not" in condition:
        return not matches(condition["not"], event)
    (operator,) = set(condition) - {"path"}
    known = _OPERATORS.get(operator)
    return known is not None and known[2](_at(condition["path"], event), condition[operator])


def _at(path: str, event: Mapping[str, Any]) -> Any:
    found: Any = event
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found
