"""Failover in mid-answer, over real HTTP."""

import pytest
from pytest_django import Settings

from chatcore.llm.errors import ProviderError
from tests.llm.routes import GOOD, Asked, is_open, model_of
from tests.upstreams.server import Upstream

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closing")]


async def test_a_break_in_mid_answer_begins_anew_at_the_next(upstream: Upstream, asked: Asked) -> None:
    model = await model_of(("A", upstream.url, "cut-after-2"), ("B", upstream.url, "good"))
    assert await asked(model) == GOOD
    assert asked.restarts == ["Hello from"]
    assert asked.outcomes == [("A", "answered"), ("A", "cut_off"), ("B", "answered")]


async def test_a_silence_in_mid_answer_begins_anew_at_the_next(
    upstream: Upstream, asked: Asked, settings: Settings
) -> None:
    settings.MODEL_TOKEN_TIMEOUT = 0.2
    model = await model_of(("A", upstream.url, "hang-after-2"), ("B", upstream.url, "good"))
    assert await asked(model) == GOOD
    assert asked.outcomes == [("A", "answered"), ("A", "timeout"), ("B", "answered")]


async def test_it_begins_anew_once(upstream: Upstream, second: Upstream, asked: Asked) -> None:
    model = await model_of(
        ("A", upstream.url, "cut-after-2"), ("B", second.url, "cut-after-2"), ("C", upstream.url, "good")
    )
    with pytest.raises(ProviderError) as caught:
        await asked(model)
    assert (caught.value.code, caught.value.started) == ("cut_off", True)
    assert asked.text == "Hello from"
    assert asked.restarts == ["Hello from"]
    assert "C" not in dict(asked.outcomes)


async def test_where_nobody_can_begin_anew_what_was_said_is_kept(
    dead: str, upstream: Upstream, asked: Asked
) -> None:
    model = await model_of(("A", upstream.url, "cut-after-2"), ("B", dead, "any"))
    with pytest.raises(ProviderError) as caught:
        await asked(model)
    assert (caught.value.code, caught.value.started) == ("cut_off", True)
    assert (asked.text, asked.restarts) == ("Hello from", [])


async def test_a_title_does_not_begin_anew(upstream: Upstream, asked: Asked) -> None:
    model = await model_of(("A", upstream.url, "cut-after-2"), ("B", upstream.url, "good"))
    with pytest.raises(ProviderError, match="cut_off"):
        await asked(model, restarts=False)


async def test_one_that_always_breaks_off_is_asked_no_more(upstream: Upstream, asked: Asked) -> None:
    model = await model_of(("A", upstream.url, "cut-after-2"), ("B", upstream.url, "good"))
    for _ in range(4):
        assert await asked(model) == GOOD
    assert await is_open("A")
    assert asked.outcomes[-2:] == [("A", "circuit_open"), ("B", "answered")]
