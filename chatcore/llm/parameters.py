"""What a request may ask of a model besides its text: names, types and ranges, and who knows which.

The list is closed, since parameters come from outside: a caller must not be able to name the model, the address or
the key of the call. What a provider does not know is left out, and said in `Finished.dropped`.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from chatcore.errors import FieldProblem, Invalid
from chatcore.llm.providers import ProviderSettings
from chatcore.llm.services import service_of
from chatcore.problems import pointer_to

if TYPE_CHECKING:
    from chatcore.llm.models import Model, Provider

Stop: TypeAlias = Annotated[str, Field(min_length=1, max_length=500)]
Penalty: TypeAlias = Annotated[float, Field(ge=-2, le=2)]
Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class ResponseFormat(BaseModel):
    """`json_schema` is OpenAI's object: name, schema, strict."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["text", "json_object", "json_schema"]
    json_schema: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parameter:
    """`needs` is the ability of a model without which it says nothing; `shown`: a form for people offers it."""

    name: str
    label: str
    help: str
    values: TypeAdapter[Any] = field(repr=False, compare=False)
    needs: str = ""
    shown: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of its values."""
        return self.values.json_schema() | {"title": self.label, "description": self.help}


def _parameter(
    name: str, label: str, text: str, values: Any, *, needs: str = "", shown: bool = False
) -> Parameter:
    return Parameter(name, label, text, TypeAdapter(values), needs, shown)


# In the order in which a form shows them.
PARAMETERS: Mapping[str, Parameter] = {
    each.name: each
    for each in (
        _parameter(
            "temperature",
            "Temperature",
            "0 always takes the likeliest word; higher values vary more.",
            Annotated[float, Field(ge=0, le=2)],
            shown=True,
        ),
        _parameter(
            "top_p",
            "Top p",
            "Only the likeliest words that make up this share are considered.",
            Annotated[float, Field(ge=0, le=1)],
            shown=True,
        ),
        _parameter(
            "max_tokens",
            "Longest answer",
            "In tokens.",
            Annotated[int, Field(ge=1, le=10_000_000)],
            shown=True,
        ),
        _parameter(
            "seed",
            "Seed",
            "The same seed makes the same answer likelier.",
            Annotated[int, Field(ge=-(2**63), lt=2**63)],
            shown=True,
        ),
        _parameter(
            "reasoning_effort",
            "Reasoning effort",
            "How long the model thinks before it answers.",
            Effort,
            needs="reasoning",
            shown=True,
        ),
        _parameter(
            "verbosity", "Verbosity", "How much it says.", Literal["low", "medium", "high"], shown=True
        ),
        _parameter(
            "stop",
            "Stop at",
            "Texts at which the answer ends.",
            Stop | Annotated[list[Stop], Field(max_length=16)],
            shown=True,
        ),
        _parameter(
            "response_format",
            "Format",
            "Text, or JSON, after a schema if one is given.",
            ResponseFormat,
            needs="json",
        ),
        _parameter("frequency_penalty", "Frequency penalty", "Against words said often.", Penalty),
        _parameter("presence_penalty", "Presence penalty", "Against words said at all.", Penalty),
        _parameter(
            "logit_bias",
            "Token bias",
            "Likelihood of single tokens, by their numbers.",
            dict[str, Annotated[float, Field(ge=-100, le=100)]],
        ),
        _parameter("tools", "Tools", "What the model may call.", list[dict[str, Any]], needs="tools"),
        _parameter(
            "tool_choice",
            "Choice of tools",
            "Which of them it must call.",
            str | dict[str, Any],
            needs="tools",
        ),
        _parameter("parallel_tool_calls", "Several tools at a time", "Whether it may.", bool, needs="tools"),
    )
}
KNOWN = frozenset(PARAMETERS)
OTHER_NAMES = {"max_completion_tokens": "max_tokens"}
ANSWER_LENGTH = "answer_length"  # what is left out of a wish for more than the model can write


def known(params: Mapping[str, Any]) -> dict[str, Any]:
    """The known ones that have a value, under their own names."""
    chosen = {name: value for name, value in params.items() if name in KNOWN and value is not None}
    for other, name in OTHER_NAMES.items():
        if params.get(other) is not None:
            chosen.setdefault(name, params[other])
    return chosen


def with_defaults(defaults: Mapping[str, Any], wished: Mapping[str, Any]) -> dict[str, Any]:
    """`wished` over `defaults`; under whichever name a wish came, it is the one that counts."""
    return _by_own_names(defaults) | _by_own_names(wished)


def limited(params: dict[str, Any], max_output: int | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The parameters for a model that writes no more than that (None: unknown), and the name of what is left out."""
    wished = params.get("max_tokens")
    if max_output is None or not isinstance(wished, int) or wished <= max_output:
        return params, ()
    return params | {"max_tokens": max_output}, (ANSWER_LENGTH,)


def _by_own_names(params: Mapping[str, Any]) -> dict[str, Any]:
    named = {name: value for name, value in params.items() if name not in OTHER_NAMES}
    for other, name in OTHER_NAMES.items():
        if other in params and named.get(name) is None:
            named[name] = params[other]
    return named


def unknown(params: Mapping[str, Any]) -> list[str]:
    """Names that are none of ours: they never reach a provider."""
    return sorted(params.keys() - KNOWN - OTHER_NAMES.keys())


def check(params: Mapping[str, Any], pointer: str = "/params") -> None:
    """Raises Invalid where a known parameter has a value it cannot have; null stands for none."""
    problems = [problem for name, value in params.items() for problem in _problems(name, value, pointer)]
    if problems:
        first = problems[0]
        raise Invalid(f"{first.pointer.strip('/').replace('/', '.')} {first.detail}.", errors=problems)


def _problems(name: str, value: Any, pointer: str) -> Iterator[FieldProblem]:
    parameter = PARAMETERS.get(OTHER_NAMES.get(name, name))
    if parameter is None or value is None:
        return
    try:
        parameter.values.validate_python(value, strict=True)
    except ValidationError as error:
        said = error.errors(include_url=False, include_context=False, include_input=False)
        first = max(said, key=lambda each: len(each["loc"]))
        place = [part for part in first["loc"] if isinstance(value, dict | list) and _is_in(part, value)]
        at = pointer + pointer_to(name) + "".join(pointer_to(part) for part in place[:1])
        yield FieldProblem(at, re.sub(r"^\w+ should", "must", first["msg"]), first["type"])


def _is_in(part: int | str, value: dict[str, Any] | list[Any]) -> bool:
    return part in value if isinstance(value, dict) else isinstance(part, int) and part < len(value)


def parameters_for(model: "Model") -> dict[str, Any]:
    """JSON Schema of the `params` that make sense for `model`: in a form's order, with its limits and defaults.

    Left out is what none of its providers knows. `x-form` marks what a form for people offers. Reads the database.
    """
    return described(model, lacking=_unknown_everywhere(model))


def described(model: "Model", *, lacking: Collection[str] = ()) -> dict[str, Any]:
    """As `parameters_for`, where it is known which names its providers lack."""
    properties = {}
    for parameter in PARAMETERS.values():
        if parameter.name in lacking or (parameter.needs and not model.supports[parameter.needs]):
            continue
        schema = parameter.schema | {"x-form": parameter.shown}
        if parameter.name == "max_tokens" and model.max_output:
            schema["maximum"] = model.max_output
        if parameter.name in model.default_params:
            schema["default"] = model.default_params[parameter.name]
        properties[parameter.name] = schema
    return {"type": "object", "properties": properties}


def _unknown_everywhere(model: "Model") -> frozenset[str]:
    """A provider of no service we know is taken to know everything; the demo knows nothing."""
    deployments = model.deployments.select_related("provider").defer("provider__credential")
    lacking = [_lacks(each.provider) for each in deployments.filter(enabled=True, provider__enabled=True)]
    return frozenset.intersection(*lacking) if lacking else frozenset()


def _lacks(provider: "Provider") -> frozenset[str]:
    if provider.kind == "demo":
        return KNOWN
    service = service_of(ProviderSettings(provider.kind, provider.base_url, "", provider.options))
    return service.lacks if service else frozenset()
