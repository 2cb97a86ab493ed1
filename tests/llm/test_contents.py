"""Pictures on the wire, as each vendor's protocol has them; and a reply that was made without them."""

from typing import Any

import pytest

from chatcore.llm import routing
from chatcore.llm.contents import IMAGES
from chatcore.llm.types import Finished, Image, ModelRequest, Turn
from chatcore.offload import offload
from tests.llm.asking import Open, events_of
from tests.llm.factories import make_deployment, make_model, make_provider
from tests.llm.vendors import ANTHROPIC, BEDROCK, GEMINI, Vendor
from tests.upstreams.server import Upstream

# One transparent pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
TURN = Turn("user", "What is it?", (Image("dot.png", f"data:image/png;base64,{PIXEL}"),))
WORDS = "What is it?\n[image: dot.png]"


def request(model: str = "any") -> ModelRequest:
    return ModelRequest(model, (TURN,))


async def test_openais_protocol_has_data_urls(upstream: Upstream, opened: Open) -> None:
    await events_of(opened().stream(request()))
    (heard,) = upstream.requests
    assert heard.body["messages"][0]["content"] == [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        {"type": "text", "text": WORDS},
    ]


def of_anthropic(body: dict[str, Any]) -> tuple[Any, ...]:
    image, text = body["messages"][0]["content"]
    source = image["source"]
    return source["type"], source["media_type"], source["data"], text["text"]


def of_gemini(body: dict[str, Any]) -> tuple[Any, ...]:
    parts = body["contents"][0]["parts"]
    (data,) = [part.get("inline_data") or part.get("inlineData") for part in parts if "text" not in part]
    (text,) = [part["text"] for part in parts if "text" in part]
    return "base64", data.get("mime_type") or data["mimeType"], data["data"], text


def of_bedrock(body: dict[str, Any]) -> tuple[Any, ...]:
    parts = body["messages"][0]["content"]
    (image,) = [part["image"] for part in parts if "image" in part]
    (text,) = [part["text"] for part in parts if "text" in part]
    return "base64", f"image/{image['format']}", image["source"]["bytes"], text


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.usefixtures("litellm")
@pytest.mark.xdist_group("litellm")
@pytest.mark.parametrize(
    ("vendor", "read"), [(ANTHROPIC, of_anthropic), (GEMINI, of_gemini), (BEDROCK, of_bedrock)]
)
async def test_each_vendor_has_them_as_it_wants_them(upstream: Upstream, vendor: Vendor, read: Any) -> None:
    events = await events_of(vendor.provider(upstream).stream(request()))
    (heard,) = upstream.requests
    assert read(heard.body) == ("base64", "image/png", PIXEL, WORDS)
    assert events[-1] == Finished("stop")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("closing")
@pytest.mark.parametrize(("sees", "dropped"), [(True, ()), (False, (IMAGES,))])
async def test_whether_its_model_takes_images_is_said_with_the_answer(
    upstream: Upstream, sees: bool, dropped: tuple[str, ...]
) -> None:
    def make() -> Any:
        provider = make_provider("openai", base_url=f"{upstream.url}/v1", credential="sk-1")
        return make_deployment(make_model(supports_vision=sees), provider).model_id

    events = [event async for event in routing.answer(await offload(make), request(""))]
    assert events[-1] == Finished("stop", dropped)
    content = upstream.requests[0].body["messages"][0]["content"]
    assert (content == "What is it?\n[image: dot.png, not shown to this model]") is not sees
