"""B14: processor time of rendering an answer while it streams, against rendering it once when it is there.

A 2,000-token answer arrives at 50 and at 100 tokens a second and is drawn 8 times a second. Nobody waits: the tokens
of an interval are fed at once, and only `time.process_time` is counted. Caches are emptied before every run.
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time

from bench.figure import Figure
from conversations.rendering import BlockStream, blocks, code, mathml, render

RENDERS_A_SECOND = 8
GOAL = 4.0
LINEAR = 4.6
ROUNDS = 15
TOKEN = re.compile(r"\s?\w{1,6}|\s+|[^\w\s]{1,2}")  # about the size of a model's tokens
PARAGRAPH = re.compile(r"[A-Z][^\n]{80,}\Z")
ANSWER = (Path(__file__).parent / "b14_answer.md").read_text()


def tokens_of(text: str) -> list[str]:
    return TOKEN.findall(text)


def streamed(text: str, tokens_a_second: int) -> str:
    """The joined blocks of `text` after it came in token by token and was drawn at every interval."""
    stream = BlockStream()
    shown: list[str] = []
    tokens = tokens_of(text)
    fed = interval = 0
    while fed < len(tokens):
        interval += 1
        due = interval * tokens_a_second // RENDERS_A_SECOND
        stream.feed("".join(tokens[fed:due]))
        fed = due
        shown += stream.update().blocks
    last = stream.finish()
    return "".join([*([] if last.reset else shown), *last.blocks])


def cost(work: Callable[[], str]) -> float:
    """Milliseconds of processor time, with nothing remembered from before."""
    blocks.RENDERED.clear()
    mathml.typeset.cache_clear()
    code.highlight.cache_clear()
    start = process_time()
    work()
    return (process_time() - start) * 1000


def ratio_of(work: Callable[[], str], baseline: Callable[[], str]) -> tuple[float, float, float]:
    """Both costs and their ratio, as medians of pairs measured side by side: the machine may be busy."""
    pairs = [(cost(work), cost(baseline)) for _ in range(ROUNDS)]
    return (
        median(pair[0] for pair in pairs),
        median(pair[1] for pair in pairs),
        median(pair[0] / pair[1] for pair in pairs),
    )


def compare(name: str, text: str, tokens_a_second: int, goal: float | None) -> Figure:
    if streamed(text, tokens_a_second) != render(text):
        raise AssertionError(f"{name}: the streamed HTML is not the HTML of rendering once")
    value, baseline, ratio = ratio_of(partial(streamed, text, tokens_a_second), partial(render, text))
    title = f"B14 {name} streamed at {tokens_a_second} tokens/s, against rendering it once"
    words = "identical HTML" + (f", <= {goal:g} x" if goal else "")
    return Figure(title, value, "ms CPU", baseline, ratio, words, None if goal is None else ratio <= goal)


def copies(count: int) -> str:
    """The answer `count` times in a row, no code block or formula twice, so that no cache helps."""
    return "\n\n".join(
        ANSWER.replace("bucket", f"bucket_{index}").replace("b(t)", f"b_{index}(t)") for index in range(count)
    )


def linearity() -> Figure:
    value, baseline, ratio = ratio_of(partial(streamed, copies(4), 50), partial(streamed, copies(1), 50))
    title = "B14 an answer four times as long, against the short one"
    return Figure(title, value, "ms CPU", baseline, ratio, f"<= {LINEAR:g} x", ratio <= LINEAR)


def prose() -> str:
    """An answer of nothing but paragraphs, which cost next to nothing to render once: for information."""
    paragraphs = [block for block in ANSWER.split("\n\n") if PARAGRAPH.match(block)]
    return "\n\n".join(paragraphs * 3)[: len(ANSWER)]


def extremes() -> Figure:
    """The slowest of the texts that a renderer may choke on."""
    size = 100_000
    fractions = r"\frac{1}{" * 400 + "x" + "}" * 400
    texts = (
        "[" * size,
        "$" * size,
        "> " * size,
        ">" * size,
        f"$${fractions}$$",
        "a" * 1_000_000,
        "![" * size,
    )
    value = max(cost(partial(render, text)) for text in texts)
    return Figure(
        "B14 slowest hostile text (up to 1 MB)", value, "ms CPU", None, None, "<= 500 ms", value <= 500
    )


def run() -> list[Figure]:
    return [
        compare("answer", ANSWER, 50, GOAL),
        compare("answer", ANSWER, 100, GOAL),
        compare("plain prose", prose(), 50, None),
        linearity(),
        extremes(),
    ]
