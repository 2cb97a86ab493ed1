"""What a turn says on the wire: a text, or pictures with it; and what is left of it for a model without eyes."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from chatcore.llm.types import Finished, Image, ModelEvent, ModelRequest, Turn

IMAGES = "images"
TOKENS_PER_IMAGE = 1_600  # about what each of the large vendors counts for 1,568 pixels


def content_of(turn: Turn) -> str | list[dict[str, Any]]:
    """As OpenAI's chat completions take it, and LiteLLM for every other vendor: pictures before the text about them."""
    shown = [image for image in turn.images if image.url]
    text = _with_names(turn, lambda image: image.name if image.url else f"{image.name}, not shown again")
    if not shown:
        return text
    pictures = [{"type": "image_url", "image_url": {"url": image.url}} for image in shown]
    return [*pictures, {"type": "text", "text": text}]


def text_alone(turn: Turn) -> str:
    """With the names of the pictures in place of them."""
    return _with_names(turn, lambda image: f"{image.name}, not shown to this model")


def suited(request: ModelRequest, *, takes_images: bool) -> ModelRequest:
    """The request as such a model can read it; its `left_out` names what it does not see."""
    images = list(images_of(request.turns))
    if not images or (takes_images and all(image.url for image in images)):
        return request
    turns = request.turns
    if not takes_images:
        turns = tuple(
            replace(turn, text=text_alone(turn), images=()) if turn.images else turn for turn in turns
        )
    return replace(request, turns=turns, left_out=(*request.left_out, IMAGES))


def told(event: ModelEvent, request: ModelRequest) -> ModelEvent:
    """The end of an answer names what the request had left out."""
    if request.left_out and isinstance(event, Finished):
        return replace(event, dropped=(*event.dropped, *request.left_out))
    return event


def images_of(turns: Iterable[Turn]) -> Iterable[Image]:
    return (image for turn in turns for image in turn.images)


def image_tokens(turns: Iterable[Turn]) -> int:
    """About how many tokens their pictures take."""
    return TOKENS_PER_IMAGE * sum(1 for image in images_of(turns) if image.url)


def _with_names(turn: Turn, named: Callable[[Image], str]) -> str:
    names = [f"[image: {named(image)}]" for image in turn.images]
    return "\n".join([turn.text, *names] if turn.text else names)
