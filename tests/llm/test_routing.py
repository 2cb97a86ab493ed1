import asyncio
import dataclasses
import json
import uuid
from collections import Counter
from contextlib import aclosing
from typing import Any

import pytest
from pytest_django import Settings

from chatcore.llm import candidates, instances, routing
from chatcore.llm.attempts import Attempt
from chatcore.llm.errors import ProviderError
from chatcore.llm.models import Deployment, Fallback, Model, Provider
from chatcore.llm.types import Finished, ModelEvent, ModelRequest, TextDelta, Turn
from chatcore.offload import offload
from tests.llm.asking import text_of
from tests.llm.factories import make_deployment, make_model, make_provider
from tests.upstreams.server import Upstream

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closing")]
REQUEST = ModelRequest("", (Turn("user", "Hello?"),))


@pytest.fixture(autouse=True)
def scripts_allowed(settings: Settings) -> None:
    settings.DEBUG = True


def scripted(name: str, *script: dict[str, Any], **fields: Any) -> Provider:
    return make_provider("scripted", name=name, options={"script": list(script)}, **fields)


def saying(text: str) -> Provider:
    return scripted(text, {"text": text})


def failing(code: str) -> Provider:
    return scripted(code, {"error": {"code": code, "detail": f"it was {code}"}})


def model_of(*providers: Provider, **fields: Any) -> Model:
    """A model that asks the providers in this order."""
    model = make_model(**fields)
    for priority, provider in enumerate(providers):
        make_deployment(model, provider, priority=priority)
    return model


async def ask(model_id: uuid.UUID, request: ModelRequest = REQUEST) -> tuple[list[ModelEvent], list[Attempt]]:
    attempts: list[Attempt] = []
    events = [event async for event in routing.answer(model_id, request, on_attempt=attempts.append)]
    return events, attempts


async def test_a_deployment_answers_and_says_so() -> None:
    model = await offload(lambda: model_of(saying("one"), name="the-model"))
    events, (attempt,) = await ask(model.pk)
    assert events == [TextDelta("one"), Finished("stop")]
    assert (attempt.deployment, attempt.provider, attempt.model, attempt.outcome, attempt.detail) == (
        "the-model at one",
        "one",
        "the-model",
        "answered",
        "",
    )
    assert json.dumps(dataclasses.asdict(attempt))


async def test_the_deployments_name_and_the_models_parameters_are_filled_in(upstream: Upstream) -> None:
    def made() -> Model:
        provider = make_provider("openai", base_url=f"{upstream.url}/v1", credential="sk-stored")
        model = make_model(default_params={"temperature": 0.1, "top_p": 0.5})
        return make_deployment(model, provider, upstream_name="upstream-name").model

    model = await offload(made)
    await ask(model.pk, dataclasses.replace(REQUEST, params={"temperature": 0.9}))
    (heard,) = upstream.requests
    assert (heard.body["model"], heard.body["temperature"], heard.body["top_p"]) == (
        "upstream-name",
        0.9,
        0.5,
    )
    assert heard.headers["Authorization"] == "Bearer sk-stored"


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_a_wish_for_more_than_the_model_writes_is_cut_to_it_and_said(
    upstream: Upstream, name: str
) -> None:
    def made() -> Model:
        provider = make_provider("openai", base_url=f"{upstream.url}/v1")
        return make_deployment(make_model(max_output=900, default_params={"max_tokens": 500}), provider).model

    model = await offload(made)
    for wished, sent, dropped in ((901, 900, ("answer_length",)), (900, 900, ()), (7, 7, ())):
        events, _ = await ask(model.pk, dataclasses.replace(REQUEST, params={name: wished}))
        assert (upstream.requests[-1].body["max_tokens"], events[-1]) == (sent, Finished("stop", dropped))
    await ask(model.pk)
    assert upstream.requests[-1].body["max_tokens"] == 500


@pytest.mark.parametrize("code", ["unavailable", "rate_limited", "auth", "bad_request", "content_filter"])
async def test_a_failure_before_the_first_word_is_silent(code: str) -> None:
    model = await offload(lambda: model_of(failing(code), saying("second")))
    events, attempts = await ask(model.pk)
    assert text_of(events) == "second"
    assert [(each.outcome, each.detail) for each in attempts] == [(code, f"it was {code}"), ("answered", "")]


async def test_an_empty_answer_is_a_failure_before_the_first_word() -> None:
    usage = {"usage": {"input_tokens": 1, "output_tokens": 0}}
    model = await offload(lambda: model_of(scripted("nothing", usage), saying("second")))
    events, attempts = await ask(model.pk)
    assert events == [TextDelta("second"), Finished("stop")]
    assert attempts[0].outcome == "empty"


async def test_a_failure_after_the_first_word_is_the_askers() -> None:
    steps = ({"text": "Hel"}, {"error": {"code": "cut_off"}})
    model = await offload(lambda: model_of(scripted("broken", *steps), saying("second")))
    attempts: list[Attempt] = []
    events = routing.answer(model.pk, REQUEST, on_attempt=attempts.append)
    assert await anext(events) == TextDelta("Hel")
    with pytest.raises(ProviderError) as caught:
        await anext(events)
    assert (caught.value.code, caught.value.started) == ("cut_off", True)
    assert [each.outcome for each in attempts] == ["answered", "cut_off"]


async def test_when_nobody_answers_the_last_failure_is_told() -> None:
    model = await offload(lambda: model_of(failing("unavailable"), failing("rate_limited")))
    with pytest.raises(ProviderError) as caught:
        await ask(model.pk)
    assert (caught.value.code, caught.value.started) == ("rate_limited", False)


async def test_no_deployment_is_asked_twice(upstream: Upstream) -> None:
    def made() -> Model:
        upstream_provider = make_provider("openai", base_url=f"{upstream.url}/v1")
        return make_deployment(make_model(), upstream_provider, upstream_name="refuse-500").model

    model = await offload(made)
    with pytest.raises(ProviderError, match="unavailable"):
        await ask(model.pk)
    assert len(upstream.requests) == 1


async def test_fallback_models_answer_in_their_order_and_theirs_do_not() -> None:
    def made() -> Model:
        model, third = model_of(failing("overloaded"), name="first"), model_of(saying("third"), name="third")
        second = model_of(failing("timeout"), name="second")
        never = model_of(saying("never"), name="never")
        Fallback.objects.create(model=model, to=third, position=2)
        Fallback.objects.create(model=model, to=second, position=1)
        Fallback.objects.create(model=second, to=never)
        return model

    events, attempts = await ask((await offload(made)).pk)
    assert text_of(events) == "third"
    assert [(each.model, each.outcome) for each in attempts] == [
        ("first", "overloaded"),
        ("second", "timeout"),
        ("third", "answered"),
    ]


async def test_what_is_disabled_is_not_asked() -> None:
    def made() -> Model:
        model = model_of(
            saying("deployment"), scripted("provider", {"text": "x"}, enabled=False), saying("left")
        )
        Deployment.objects.filter(model=model, provider__name="deployment").update(enabled=False)
        return model

    events, _ = await ask((await offload(made)).pk)
    assert text_of(events) == "left"


@pytest.mark.parametrize("known", [True, False])
async def test_a_model_without_deployment_is_not_found(known: bool) -> None:
    model_id = (await offload(make_model)).pk if known else uuid.uuid4()
    with pytest.raises(ProviderError, match="not_found"):
        await ask(model_id)


async def test_a_credential_that_does_not_decrypt_is_passed_over(settings: Settings) -> None:
    unreadable = await offload(lambda: make_provider("openai", name="lost", credential="sk-lost"))
    settings.CREDENTIAL_KEYS = {1: "33" * 32}
    model = await offload(
        lambda: model_of(unreadable, scripted("here", {"text": "yes"}, credential="sk-here"))
    )
    events, attempts = await ask(model.pk)
    assert text_of(events) == "yes"
    assert [each.outcome for each in attempts] == ["auth", "answered"]


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "gone"},
        {"kind": "openai", "base_url": "nowhere"},
        {"kind": "demo", "options": {"pace": "fast"}},
    ],
)
async def test_a_provider_that_cannot_be_built_is_passed_over(fields: dict[str, Any]) -> None:
    model = await offload(lambda: model_of(make_provider(**fields), saying("second")))
    events, attempts = await ask(model.pk)
    assert text_of(events) == "second"
    assert attempts[0].outcome in {"unavailable", "not_found"}


def test_deployments_of_one_priority_are_drawn_by_their_weight() -> None:
    model = make_model()
    for name, weight in (("heavy", 9), ("light", 1)):
        make_deployment(model, make_provider(name=name), weight=weight)
    make_deployment(model, make_provider(name="reserve"), priority=1, weight=1000)
    orders = Counter(tuple(each.provider for each in candidates.candidates(model.pk)) for _ in range(300))
    assert set(orders) == {("heavy", "light", "reserve"), ("light", "heavy", "reserve")}
    # 270 are expected; fewer than 230 or none of the other have odds of less than one in a million.
    assert orders["heavy", "light", "reserve"] > 230


async def test_a_change_of_the_provider_counts_for_the_next_request_and_not_for_a_running_one(
    upstream: Upstream,
) -> None:
    upstream.plan("slow", pieces=("one", "two"), pause=0.05)
    provider = await offload(
        lambda: make_provider("openai", base_url=f"{upstream.url}/v1", credential="sk-old-key")
    )
    model = await offload(lambda: make_deployment(make_model(), provider, upstream_name="slow").model)
    async with aclosing(routing.answer(model.pk, REQUEST)) as running:
        assert await anext(running) == TextDelta("one")
        provider.credential = "sk-new-key"
        await offload(provider.save)
        events, _ = await ask(model.pk)
        assert text_of(events) == "onetwo"
        assert await anext(running) == TextDelta("two")
    keys = [heard.headers["Authorization"] for heard in upstream.requests]
    assert keys == ["Bearer sk-old-key", "Bearer sk-new-key"]


async def test_requests_share_the_providers_connection(upstream: Upstream) -> None:
    provider = await offload(lambda: make_provider("openai", base_url=f"{upstream.url}/v1"))
    model = await offload(lambda: make_deployment(make_model(), provider).model)
    version, settings = provider.updated_at, provider.settings()
    for _ in range(2):
        await ask(model.pk)
    async with instances.borrowed(provider.pk, version, settings) as first:
        pass
    async with instances.borrowed(provider.pk, version, settings) as second:
        assert first is second


async def test_stopping_early_stops_the_upstream(upstream: Upstream) -> None:
    upstream.plan("hang", hang_after=1)
    provider = await offload(lambda: make_provider("openai", base_url=f"{upstream.url}/v1"))
    model = await offload(lambda: make_deployment(make_model(), provider, upstream_name="hang").model)
    async with aclosing(routing.answer(model.pk, REQUEST)) as events:
        assert await anext(events) == TextDelta("Hello")
    assert await asyncio.to_thread(upstream.heard.left.wait, 10)
