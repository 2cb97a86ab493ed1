import pytest

from chatcore.llm import demo_answers
from chatcore.llm.continuing import continuing
from chatcore.llm.demo import TOKEN, DemoProvider
from chatcore.llm.providers import ProviderSettings
from chatcore.llm.types import ModelRequest, Turn, Usage
from tests.llm.asking import events_of, text_of

SAID = ["Hello!", "Write some python code", "Prove a formula", "Plan my week"]


def at_once() -> DemoProvider:
    return DemoProvider(ProviderSettings("demo", options={"pace": 0}))


async def answer(*said: str, purpose: str = "reply") -> str:
    turns = [turn for text in said for turn in (Turn("user", text), Turn("assistant", "…"))][:-1]
    request = ModelRequest("demo", tuple(turns), purpose=purpose)  # type: ignore[arg-type]
    return text_of(await events_of(at_once().stream(request)))


async def test_the_first_answer_shows_what_an_answer_can_look_like() -> None:
    text = await answer("Hello!")
    assert "```bash" in text
    assert "|:--|:--|" in text
    assert "\n$$\n" in text
    assert "\n1. " in text


@pytest.mark.parametrize("said", SAID)
async def test_every_answer_says_that_it_is_a_demonstration_and_how_to_go_on(said: str) -> None:
    text = await answer(said)
    assert "**demo model**" in text
    assert "_API_KEY" in text
    assert "/admin/" in text


@pytest.mark.parametrize("said", SAID)
async def test_every_answer_refers_to_what_was_said(said: str) -> None:
    assert f"> {said}" in await answer(said)


async def test_what_is_asked_for_decides_the_answer() -> None:
    assert "```python" in await answer(SAID[1])
    assert "\\sum" in await answer(SAID[2])
    assert "Here is a plan" in await answer(SAID[3])


async def test_a_conversation_does_not_repeat_itself_before_everything_was_said() -> None:
    conversation = ["Hello"] * len(demo_answers.ANSWERS)
    answers = {await answer(*conversation[: number + 1]) for number in range(len(conversation))}
    assert len(answers) == len(demo_answers.ANSWERS)
    assert await answer(*conversation, "Hello") == await answer("Hello")


async def test_the_words_of_a_person_cannot_break_the_page() -> None:
    text = await answer("# Big\n\n```\n| a | b |\n$x$ <script>alert(1)</script> [l](javascript:x)")
    quote = next(line for line in text.splitlines() if line.startswith("> "))
    assert quote == (
        "> \\# Big \\`\\`\\` \\| a \\| b \\| \\$x\\$ \\<script\\>alert(1)\\</script\\> [l\\](javascript:x)"
    )


@pytest.mark.parametrize("said", ["", "   ", "x" * 10_000, "今天天气怎么样？" * 50, "🙂", "word " * 5_000])
@pytest.mark.parametrize("make", demo_answers.ANSWERS)
def test_any_message_gives_an_answer_of_bounded_length(said: str, make: demo_answers.Answer) -> None:
    assert 500 < len(make(said)) < 3_000


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("hello there", "Hello there"),
        ("What *is* `this`?", "What is this"),
        ("First line\n\nand more", "First line"),
        ("", "A first conversation"),
        ("…", "…"),
        (
            "a very long question that goes on and on without any end in sight",
            "A very long question that goes on and on without",
        ),
        ("长" * 100, "长" * 48),
    ],
)
async def test_a_title_is_made_of_the_first_words(said: str, title: str) -> None:
    assert await answer(said, purpose="title") == title


@pytest.mark.parametrize("make", demo_answers.ANSWERS)
def test_tokens_put_together_are_the_text(make: demo_answers.Answer) -> None:
    text = make("Grüße 今天 🙂 `x`")
    assert "".join(TOKEN.findall(text)) == text


async def test_what_it_used_is_an_estimate() -> None:
    events = await events_of(at_once().stream(ModelRequest("demo", (Turn("user", "Hi"),))))
    (usage,) = [event for event in events if isinstance(event, Usage)]
    assert usage.estimated
    assert (usage.output_tokens or 0) > 100


async def test_an_answer_that_was_stopped_is_finished() -> None:
    whole = await answer("Hello!")
    half = whole[:100]
    turns = (Turn("user", "Hello!"), *continuing(half))

    rest = text_of(await events_of(at_once().stream(ModelRequest("demo", turns))))

    assert half + rest == whole
