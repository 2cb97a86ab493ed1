"""A conversation's parameters as fields of a form: drawn from the JSON Schema of what its model takes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils.translation import gettext as _

from chatcore.errors import FieldProblem
from chatcore.llm import parameters
from chatcore.llm.models import Model

SYSTEM = "system"
SHOWN_CHARACTERS = 200
NUMBERS = {"number": float, "integer": int}


@dataclass(frozen=True)
class Field:
    """One parameter. `kind` is number, choice, lines or flag; `text` is what stands in it, `problem` what is wrong."""

    name: str
    label: str
    help: str
    kind: str
    schema: Mapping[str, Any] = field(repr=False)
    text: str = ""
    problem: str = ""

    @property
    def id(self) -> str:
        return f"parameter-{self.name}"

    @property
    def range(self) -> str:
        """Its limits in words; none where nobody would come near them."""
        least, most = self.schema.get("minimum"), self.schema.get("maximum")
        if least is None or most is None or most - least > 10_000_000:
            return ""
        return _("%(least)s to %(most)s") % {"least": f"{least:,}", "most": f"{most:,}"}

    @property
    def options(self) -> Sequence[tuple[str, str]]:
        """(value, label) of a choice, besides leaving it to the model."""
        if self.kind == "flag":
            return [("true", _("Yes")), ("false", _("No"))]
        return [(str(value), str(value).capitalize()) for value in self.schema["enum"]]

    @property
    def default(self) -> str:
        """What stands in place of a value."""
        return as_text(self.schema["default"]) if "default" in self.schema else _("Model's default")

    def value(self) -> Any:
        """What its text stands for; None is no wish. Raises ValueError in words."""
        text = self.text.strip()
        if not text:
            return None
        if self.kind == "lines":
            return [line for line in self.text.split("\n") if line]
        if self.kind == "flag":
            return text == "true"
        return self._number(text) if self.kind == "number" else text

    def _number(self, text: str) -> float:
        is_whole = self.schema["type"] == "integer"
        try:
            number: float = NUMBERS[self.schema["type"]](text.replace(",", ".", 1))
        except ValueError:
            raise ValueError(_("must be a whole number") if is_whole else _("must be a number")) from None
        most = self.schema.get("maximum")
        if most is not None and number > most:
            raise ValueError(_("must be at most %(most)s") % {"most": f"{most:,}"})
        return number


@dataclass(frozen=True)
class Other:
    """A parameter that has no field. `unknown`: the model takes none of that name, so that it is left out."""

    name: str
    text: str
    unknown: bool

    @property
    def label(self) -> str:
        known = parameters.PARAMETERS.get(_own_name(self.name))
        return known.label if known else self.name


@dataclass(frozen=True)
class Form:
    """All a person may wish of the replies in a conversation."""

    model: Model | None
    params: Mapping[str, Any]
    system: str
    fields: Sequence[Field]
    others: Sequence[Other]
    system_problem: str = ""
    problem: str = ""

    @property
    def unknown(self) -> list[Other]:
        return [other for other in self.others if other.unknown]

    @property
    def params_text(self) -> str:
        """All that is set, for a form that carries it along."""
        return json.dumps(self.params)

    @property
    def unknown_names(self) -> str:
        return ", ".join(other.label for other in self.unknown)

    @property
    def count(self) -> int:
        """How many wishes it holds, the instructions among them."""
        return bool(self.system) + sum(bool(one.text) for one in self.fields) + len(self.others)

    def filled(self, texts: Mapping[str, str]) -> "Form":
        """With what was typed."""
        fields = [replace(one, text=texts.get(one.name, "")) for one in self.fields]
        return replace(self, system=texts.get(SYSTEM, ""), fields=fields)

    def values(self) -> tuple[dict[str, Any], list[FieldProblem]]:
        """By name, None where nothing is wished; and what cannot be read."""
        values: dict[str, Any] = {}
        problems = []
        for one in self.fields:
            try:
                values[one.name] = one.value()
            except ValueError as error:
                problems.append(FieldProblem(f"/params/{one.name}", str(error)))
        return values, problems

    def refused(self, problems: Sequence[FieldProblem]) -> "Form":
        """Each problem stands at the field it is about; what is about none stands above all."""
        said = {_field_of(problem.pointer): problem.detail for problem in reversed(problems)}
        fields = [replace(one, problem=said.pop(one.name, "")) for one in self.fields]
        system_problem = said.pop(SYSTEM, "")
        problem = "; ".join(f"{name} {detail}" for name, detail in said.items())
        return replace(self, fields=fields, system_problem=system_problem, problem=problem)


def form_for(model: Model | None, *, params: Mapping[str, Any] | None = None, system: str = "") -> Form:
    """With these wishes in the fields of what `model` takes."""
    params = params or {}
    properties = parameters.parameters_for(model)["properties"] if model else {}
    wished = parameters.known(params)
    shown = {name: schema for name, schema in properties.items() if schema["x-form"]}
    fields = [
        Field(
            name,
            schema["title"],
            schema["description"],
            _kind(schema),
            schema,
            as_text(wished[name]) if name in wished else "",
        )
        for name, schema in shown.items()
    ]
    rest = {name: value for name, value in params.items() if _own_name(name) not in shown}
    others = [
        Other(name, as_text(value)[:SHOWN_CHARACTERS], _own_name(name) not in properties)
        for name, value in rest.items()
        if value is not None
    ]
    return Form(model, params, system, fields, others)


def as_text(value: Any) -> str:
    """As a person would type it."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _field_of(pointer: str) -> str:
    """/params/stop/0 is about the field `stop`."""
    first, *rest = pointer.strip("/").split("/")
    return rest[0] if first == "params" and rest else first


def _own_name(name: str) -> str:
    return parameters.OTHER_NAMES.get(name, name)


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "choice"
    kinds = {"number": "number", "integer": "number", "boolean": "flag"}
    return kinds.get(schema.get("type", ""), "lines")
