"""Titles: cut from the first message at once, written by a model after the first reply."""

DRAFT_LENGTH = 60


def draft_title(text: str) -> str:
    """The first line, cut at a word after at most 60 characters, without Markdown marks at its start."""
    first = next((line.strip(" #>*-`_\t") for line in text.splitlines() if line.strip(" #>*-`_\t")), "")
    line = " ".join(first.split())
    if len(line) <= DRAFT_LENGTH:
        return line or "New chat"
    cut = line[:DRAFT_LENGTH].rsplit(" ", 1)[0]
    return f"{cut.rstrip(' ,;:.')}…"
