"""What the demo model says: four answers that show the page at its best and use what the person wrote."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+")
MARKDOWN = re.compile(r"([\\`*_\]<>|$~#&])")  # without `[`: escaped, it would begin a formula
LONGEST_QUOTE = 160
LONGEST_TITLE = 48
LONGEST_WORD = 24

HOW_TO_CONNECT = """\
| You have | Set this, then start again |
|:--|:--|
| OpenAI | `OPENAI_API_KEY` |
| Anthropic | `ANTHROPIC_API_KEY` |
| Google Gemini | `GEMINI_API_KEY` |
| Mistral, Groq, OpenRouter, DeepSeek, xAI … | `MISTRAL_API_KEY`, `GROQ_API_KEY`, … |
| Ollama on this machine | nothing: it is found by itself |
| vLLM, LM Studio, llama.cpp … | `OPENAI_BASE_URL` |"""


def answer(said: Sequence[str]) -> str:
    """The answer to the last of the person's messages. None comes twice before all have come once."""
    unused: list[Answer] = []
    chosen: Answer = _tour
    for text in said or ("",):
        unused = unused or list(ANSWERS)
        chosen = _fitting(text, unused)
        unused.remove(chosen)
    return chosen(said[-1] if said else "")


def title(said: Sequence[str]) -> str:
    """The first words of the first message's first line, as a heading."""
    first_line = next((line for line in "\n".join(said[:1]).splitlines() if line.strip()), "")
    words = " ".join(re.sub(r"[`*_#>\[\]|$~]+", " ", first_line).split())
    if len(words) > LONGEST_TITLE:
        words = words[: LONGEST_TITLE + 1].rpartition(" ")[0] or words[:LONGEST_TITLE]
    words = words.strip(" .,;:!?-–—")
    return words[:1].upper() + words[1:] or "A first conversation"


def _fitting(text: str, unused: "list[Answer]") -> "Answer":
    lowered = text.lower()
    for candidate, marks in MARKS.items():
        if candidate in unused and any(re.search(rf"\b{mark}", lowered) for mark in marks):
            return candidate
    return unused[0]


def _quote(text: str) -> str:
    """The message as a Markdown quotation on one line, whatever Markdown is in it."""
    line = " ".join(text.split())
    if len(line) > LONGEST_QUOTE:
        line = line[:LONGEST_QUOTE].rpartition(" ")[0] or line[:LONGEST_QUOTE]
        line += " …"
    return "> " + (MARKDOWN.sub(r"\\\1", line) or "(nothing at all)")


def _tour(text: str) -> str:
    return f"""\
Hello, and welcome! You wrote:

{_quote(text)}

I am the **demo model**. I have not understood a word of it, because no language model is connected yet. But \
everything around me is real, so this answer shows you the place.

### Try it while I am writing

1. **Reload this page.** The answer goes on where it was; nothing is lost.
2. **Open it in a second tab.** Both follow the same stream, word for word.
3. **Press Stop**, or close the window and come back later: what was said is kept.

### Connect a real model

{HOW_TO_CONNECT}

```bash
export ANTHROPIC_API_KEY="your key"
make run
```

Staff can also add a provider under **Providers** in the [staff pages](/admin/). It answers at once, without \
a restart, and its key is encrypted before it is stored.

### How fast is this?

I write about 75 tokens a second, on purpose. With a wait of $t_0$ for the first one, $n$ tokens take

$$
t = t_0 + \\frac{{n}}{{75}} \\text{{ seconds,}}
$$

and a real model only changes the two numbers.

Until then, ask me for some *code*, some *maths* or a *plan*, and I will show you how that looks."""


def _code(text: str) -> str:
    words = [word.lower() for word in WORD.findall(text)]
    counted = Counter(words).most_common(5)
    rows = "\n".join(f"| {word[:LONGEST_WORD]} | {len(word)} | {count} |" for word, count in counted)
    longest = max(words, key=len, default="–")[:LONGEST_WORD]
    return f"""\
Code it is. I am only the **demo model**, so I cannot write a program for this:

{_quote(text)}

But I can run a small one on it. This is how one would count its words in Python:

```python
from collections import Counter
import re

def word_counts(text: str, top: int = 5) -> list[tuple[str, int]]:
    \"\"\"The most frequent words of a text, most frequent first.\"\"\"
    words = re.findall(r"\\w+", text.lower())
    return Counter(words).most_common(top)

for word, count in word_counts(message):
    print(f"{{word:<16}}{{count:>4}}")
```

And this is what it finds in your message:

| Word | Letters | Times |
|:--|--:|--:|
{rows or "| – | 0 | 0 |"}

- **{len(words)}** words and **{len(text)}** characters in all
- the longest word is **{longest}**
- the same from a terminal:

```bash
python word_counts.py < message.txt | sort -k2 -nr | head
```

A connected model would answer the question itself. To get one, set its key (`OPENAI_API_KEY`, \
`ANTHROPIC_API_KEY`, …) before the start, or add a provider in the [staff pages](/admin/)."""


def _maths(text: str) -> str:
    n = max(2, len(WORD.findall(text)))
    pairs = n * (n - 1) // 2
    rows = "\n".join(f"| {k} | {k * (k - 1) // 2} | {k * k} |" for k in sorted({2, 4, 8, n, 2 * n}))
    return f"""\
Some mathematics, then. You wrote:

{_quote(text)}

That is $n = {n}$ words, if we are generous. In how many ways can two of them be paired? The first word \
has $n - 1$ partners, the second one $n - 2$ that are new, and so on:

$$
\\sum_{{k=1}}^{{n-1}} k \\;=\\; \\frac{{n\\,(n-1)}}{{2}} \\;=\\; \\binom{{n}}{{2}} \\;=\\; {pairs}
$$

**Why?** Write the sum forwards and backwards, one above the other. Each of the $n - 1$ columns adds up to \
$n$, so twice the sum is $n\\,(n-1)$. It grows like half a square:

| $n$ | pairs | $n^2$ |
|--:|--:|--:|
{rows}

In code it is one line, and the loop agrees with it:

```python
n = {n}
assert sum(range(1, n)) == n * (n - 1) // 2 == {pairs}
```

And because no demonstration is complete without it, $e^{{i\\pi}} + 1 = 0$.

> I am the **demo model**: I only count. A real one reasons. Set a key such as `OPENAI_API_KEY` before the \
start, or add a provider in the [staff pages](/admin/)."""


def _plan(text: str) -> str:
    return f"""\
Here is a plan. It starts from what you wrote:

{_quote(text)}

As the **demo model** I cannot think it through for you, so let us plan the one thing I do know: how to get \
from me to a model that can.

### In ten minutes

1. **Choose where the model runs.**
   - *In the cloud*: the strongest models, paid by use, your text leaves the house.
   - *On your own machine*: private and free of charge, as good as your graphics card.
2. **Connect it.** One environment variable, or one form in the [staff pages](/admin/).
3. **Ask again.** Choose the new model and send your message once more.

| | Cloud | Own machine |
|:--|:--|:--|
| First answer | within a minute | after the download |
| Cost | per token | electricity |
| Privacy | the provider's terms | complete |

### A file to start from

Put this into `.env` beside `manage.py`, with the lines you need, and start again:

```ini
ANTHROPIC_API_KEY=your-key
GEMINI_API_KEY=your-key
# a server of your own that speaks OpenAI's protocol:
OPENAI_BASE_URL=http://localhost:8000/v1
```

If it costs $c$ per million tokens, a conversation of $t$ tokens costs $\\frac{{c\\,t}}{{10^6}}$: \
for most people, less than the coffee they drink with it."""


Answer = Callable[[str], str]
ANSWERS: tuple[Answer, ...] = (_tour, _plan, _code, _maths)
MARKS: dict[Answer, tuple[str, ...]] = {
    _code: ("code", "program", "python", "javascript", "function", "script", "sql", "bug", "regex"),
    _maths: ("math", "equation", "formula", "integral", "proof", "prove", "sum", "calculat", "number"),
    _plan: ("plan", "steps", "how do", "how can", "how to", "list", "compare", "idea", "help me", "write"),
}
