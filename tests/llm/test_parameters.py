import json
from typing import Any

import jsonschema
import pytest

from chatcore.errors import Invalid
from chatcore.llm import parameters
from chatcore.llm.models import Model
from chatcore.llm.parameters import KNOWN, check, described, known, parameters_for, unknown
from tests.llm.factories import make_deployment, make_model, make_provider


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"temperature": 0, "top_p": 1, "max_tokens": 1, "seed": -5},
        {"temperature": 0.7, "stop": "END", "verbosity": "low", "reasoning_effort": "high"},
        {"stop": ["a", "b"], "response_format": {"type": "json_object"}, "parallel_tool_calls": False},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": {"type": "object"}},
            }
        },
        {"tools": [{"type": "function"}], "tool_choice": "auto", "logit_bias": {"50256": -100}},
        {"temperature": None, "whatever": [1, 2]},
    ],
)
def test_good_values_pass(params: dict[str, Any]) -> None:
    check(params)


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"temperature": 2.1}, "/params/temperature"),
        ({"temperature": "1"}, "/params/temperature"),
        ({"top_p": True}, "/params/top_p"),
        ({"max_tokens": 0}, "/params/max_tokens"),
        ({"max_completion_tokens": 1.5}, "/params/max_completion_tokens"),
        ({"stop": ["a", ""]}, "/params/stop/1"),
        ({"stop": 7}, "/params/stop"),
        ({"reasoning_effort": "huge"}, "/params/reasoning_effort"),
        ({"response_format": {"type": "xml"}}, "/params/response_format/type"),
        ({"response_format": {"type": "text", "a/b": 1}}, "/params/response_format/a~1b"),
        ({"logit_bias": {"5": 200}}, "/params/logit_bias/5"),
        ({"tools": [{}, 7]}, "/params/tools/1"),
    ],
)
def test_a_bad_value_is_pointed_at(params: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        check(params)
    assert [problem.pointer for problem in caught.value.errors] == [pointer]
    assert "must" in caught.value.detail or "permitted" in caught.value.detail


def test_every_bad_value_is_named_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        check({"temperature": 9, "seed": "x", "top_p": 0.5})
    assert {problem.pointer for problem in caught.value.errors} == {"/params/temperature", "/params/seed"}


def test_only_known_names_with_a_value_reach_a_provider() -> None:
    params = {"temperature": 1, "seed": None, "api_key": "x", "max_completion_tokens": 5}
    assert known(params) == {"temperature": 1, "max_tokens": 5}
    assert unknown(params) == ["api_key"]
    assert known({"max_tokens": 1, "max_completion_tokens": 2}) == {"max_tokens": 1}


def test_what_a_model_takes_is_described_as_json_schema() -> None:
    model = Model(name="m", supports_reasoning=True, max_output=4096, default_params={"temperature": 0.3})
    schema = json.loads(json.dumps(described(model, lacking={"seed"})))
    names = list(schema["properties"])
    assert names[:3] == ["temperature", "top_p", "max_tokens"]
    assert "reasoning_effort" in names
    assert not {"seed", "tools", "response_format"} & set(names)
    assert schema["properties"]["temperature"]["default"] == 0.3
    jsonschema.validate({"max_tokens": 4096, "stop": ["x"]}, schema)
    for wrong in ({"max_tokens": 4097}, {"temperature": 3}, {"reasoning_effort": "huge"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_parameter_is_described_for_people(name: str) -> None:
    schema = parameters.PARAMETERS[name].schema
    assert schema["title"]
    assert schema["description"].endswith((".", "?"))


@pytest.mark.django_db
def test_what_none_of_its_providers_knows_is_not_offered() -> None:
    model = make_model()
    claude = make_provider("litellm", options={"vendor": "anthropic"})
    make_deployment(model, claude)
    names = parameters_for(model)["properties"]
    assert "temperature" in names
    assert "seed" not in names
    make_deployment(model, make_provider("openai", base_url="http://127.0.0.1:8000/v1"))
    assert "seed" in parameters_for(model)["properties"]
    assert parameters_for(make_deployment().model)["properties"] == {}
