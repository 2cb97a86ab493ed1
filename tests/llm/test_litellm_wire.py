"""Each vendor's own protocol over HTTP, through LiteLLM's process: what is understood of it, and what of its faults."""

from dataclasses import replace

import pytest

from chatcore.llm.errors import RETRYABLE, ProviderError
from chatcore.llm.streaming import Timeouts
from chatcore.llm.types import Finished, Usage
from tests.llm.asking import KEY, PATIENT, events_of, reasoning_of, request, text_of, tool_calls_of
from tests.llm.vendors import ANTHROPIC, BEDROCK, COHERE, GEMINI, VENDORS, Vendor
from tests.upstreams.plans import Plan
from tests.upstreams.server import Upstream

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("litellm"),
    pytest.mark.xdist_group("litellm"),
]
each_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)


async def failure(
    upstream: Upstream, vendor: Vendor, model: str, timeouts: Timeouts = PATIENT
) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await events_of(vendor.provider(upstream).stream(request(model)), timeouts)
    return caught.value


@each_vendor
async def test_an_answer_comes_with_its_reasoning(upstream: Upstream, vendor: Vendor) -> None:
    events = await events_of(vendor.provider(upstream).stream(request("reasoning")))
    assert (reasoning_of(events), text_of(events)) == ("Let me think.", "Hello from the upstream")
    assert events[-1] == Finished("stop")


@pytest.mark.parametrize(
    ("vendor", "reasoning", "written"),
    [(ANTHROPIC, None, 0), (GEMINI, 2, None), (COHERE, None, None), (BEDROCK, None, 0)],
    ids=lambda value: getattr(value, "name", str(value)),
)
async def test_usage_is_what_the_vendor_says(
    upstream: Upstream, vendor: Vendor, reasoning: int | None, written: int | None
) -> None:
    """Anthropic counts what it writes into its cache; where Bedrock names no such count, nothing was written."""
    events = await events_of(vendor.provider(upstream).stream(request("any")))
    assert events[-2] == Usage(11, 3, 4, reasoning, cache_write_tokens=written)


@each_vendor
async def test_usage_the_vendor_does_not_report_is_marked_as_an_estimate(
    upstream: Upstream, vendor: Vendor
) -> None:
    events = await events_of(vendor.provider(upstream).stream(request("no-usage")))
    usage = events[-2]
    assert isinstance(usage, Usage)
    assert usage.estimated
    assert usage.output_tokens
    assert (usage.cached_tokens, usage.reasoning_tokens) == (None, None)


@each_vendor
async def test_parallel_tool_calls_are_put_together(upstream: Upstream, vendor: Vendor) -> None:
    events = await events_of(vendor.provider(upstream).stream(request("tools")))
    assert tool_calls_of(events) == {
        0: ("call_1", "weather", '{"city": "Wien"}'),
        1: ("call_2", "clock", '{"zone": "UTC"}'),
    }
    assert events[-1] == Finished("tool_calls")


@each_vendor
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "bad_request"),
        (401, "auth"),
        (403, "auth"),
        (404, "not_found"),
        (429, "rate_limited"),
        (500, "unavailable"),
        (503, "overloaded"),
        (529, "overloaded"),
    ],
)
async def test_a_refusal_has_its_code_and_says_when_to_come_again(
    upstream: Upstream, vendor: Vendor, status: int, code: str
) -> None:
    error = await failure(upstream, vendor, f"refuse-{status}")
    # LiteLLM takes an internal error of Bedrock's for a service that is unavailable: busy, in our words.
    assert error.code == ("overloaded" if (vendor, status) == (BEDROCK, 500) else code)
    assert error.retryable == (error.code in RETRYABLE)
    assert f"refused with {status}" in error.detail
    assert error.retry_after == (7.0 if status in {429, 503, 529} else None)
    assert len(upstream.requests) == 1


@each_vendor
async def test_a_date_to_come_again_is_seconds_from_now(upstream: Upstream, vendor: Vendor) -> None:
    error = await failure(upstream, vendor, "refuse-429-date")
    assert error.retry_after is not None
    assert 0 <= error.retry_after <= 7


@each_vendor
@pytest.mark.parametrize(
    ("model", "codes"),
    [
        ("too-long", {"context_too_long"}),
        ("filtered", {"content_filter"}),
        ("empty", {"empty"}),
        ("cut-after-2", {"cut_off"}),
        ("cut-inside", {"cut_off"}),
        ("error-after-2", {"overloaded", "unavailable"}),
        # An encoding that AWS checks is broken rather than unreadable.
        ("garbage", {"garbage", "cut_off"}),
        ("noise", {"garbage", "cut_off"}),
        ("wrong-types", {"empty", "garbage", "cut_off"}),
    ],
)
async def test_a_broken_answer_has_its_name(
    upstream: Upstream, vendor: Vendor, model: str, codes: set[str]
) -> None:
    error = await failure(upstream, vendor, model)
    assert error.code in codes
    assert error.retryable == (error.code in RETRYABLE)
    assert KEY not in str(error)


@each_vendor
async def test_a_slow_drip_is_an_answer(upstream: Upstream, vendor: Vendor) -> None:
    upstream.plan("drip", Plan(write_size=64, drip=0.001))
    assert (
        text_of(await events_of(vendor.provider(upstream).stream(request("drip"))))
        == "Hello from the upstream"
    )


@each_vendor
@pytest.mark.parametrize("model", ["hang", "hang-after-2"])
async def test_a_vendor_that_hangs_is_left_when_the_time_is_up(
    upstream: Upstream, vendor: Vendor, model: str
) -> None:
    hurried = replace(PATIENT, first=1.0) if model == "hang" else replace(PATIENT, between=0.5)
    error = await failure(upstream, vendor, model, hurried)
    assert (error.code, error.retryable) == ("timeout", True)


async def test_a_value_that_a_vendor_refuses_is_left_out_once(upstream: Upstream) -> None:
    said = {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "temperature: range: 0..1"},
    }
    upstream.plan("claude-strict", refused_values=(("temperature", 1.9, said),))
    provider = ANTHROPIC.provider(upstream)
    for temperature, dropped in ((1.9, ("temperature",)), (0.5, ())):
        events = await events_of(
            provider.stream(request("claude-strict", params={"temperature": temperature}))
        )
        assert events[-1] == Finished("stop", dropped)
    assert [each.body.get("temperature") for each in upstream.requests] == [1.9, None, 0.5]


async def test_what_a_vendors_model_knows_no_more_is_not_sent_again(upstream: Upstream) -> None:
    message = "`temperature` is deprecated for this model."
    said = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    upstream.plan("claude-modern", refused_values=(("temperature", 0.5, said),))
    provider = ANTHROPIC.provider(upstream)
    for _ in range(2):
        events = await events_of(provider.stream(request("claude-modern", params={"temperature": 0.5})))
        assert events[-1] == Finished("stop", ("temperature",))
    assert [each.body.get("temperature") for each in upstream.requests] == [0.5, None, None]
