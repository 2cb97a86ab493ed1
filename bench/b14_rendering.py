"""B14: processor time of rendering an answer while it streams, against rendering it once when it is there.

A 2,000-token answer arrives at 50 and at 100 tokens a second and is drawn 8 times a second. Nobody waits: the tokens
of an interval are fed at once, and only `time.process_time` is counted. Caches are emptied before every run.
"""

import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time

from bench.figure import Figure
from conversations.rendering import BlockStream, blocks, mathml, render

RENDERS_A_SECOND = 8
GOAL = 4.0
ROUNDS = 15
TOKEN = re.compile(r"\s?\w{1,6}|\s+|[^\w\s]{1,2}")  # about the size of a model's tokens
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
    start = process_time()
    work()
    return (process_time() - start) * 1000


def compare(name: str, text: str, rates: Iterable[int]) -> list[Figure]:
    once = render(text)
    figures: list[Figure] = []
    for rate in rates:
        if streamed(text, rate) != once:
            raise AssertionError(f"{name}: the streamed HTML is not the HTML of rendering once")
        pairs = [(cost(partial(streamed, text, rate)), cost(partial(render, text))) for _ in range(ROUNDS)]
        value, baseline = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
        ratio = value / baseline
        title = f"B14 {name} streamed at {rate} tokens/s"
        figures.append(Figure(title, value, "ms CPU", baseline, ratio, f"<= {GOAL:g} x once", ratio <= GOAL))
    return figures


def linearity() -> Figure:
    """How much dearer a streamed answer of four times the length is."""
    text = ANSWER
    short = median(cost(lambda: streamed(text, 50)) for _ in range(5))
    long = median(cost(lambda: streamed(text * 4, 50)) for _ in range(5))
    return Figure(
        "B14 four times the length", long, "ms CPU", short, long / short, "<= 4.6 x", long / short <= 4.6
    )


def run() -> list[Figure]:
    return [*compare("answer", ANSWER, (50, 100)), linearity()]
