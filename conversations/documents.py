"""What can be read from a document."""

import subprocess
import sys
from pathlib import Path

from conversations.file_types import decoded

MAX_CHARACTERS = 200_000
PATIENCE = 20.0  # seconds
NOT_A_PDF = 3  # how the child exits
ROOT = Path(__file__).resolve().parent.parent


class NotADocument(Exception):
    """The bytes are not what they begin as; the message says so."""


def text_of(content: bytes, media_type: str) -> tuple[str, bool]:
    """The text, at most 200,000 characters of it, and whether there is more. A picture of a text has none.

    Raises NotADocument.
    """
    text = _text_of_pdf(content) if media_type == "application/pdf" else decoded(content)
    if text is None:
        raise NotADocument("is not a text")
    plain = text.replace("\x00", "").replace("\r\n", "\n").strip()
    return plain[:MAX_CHARACTERS], len(plain) > MAX_CHARACTERS


def _text_of_pdf(content: bytes) -> str:
    """What was read within the time, or before the reader died of it."""
    child = [sys.executable, "-m", "conversations.pdf_child"]
    try:
        done = subprocess.run(  # noqa: S603 (nothing of the command comes from outside)
            child,
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            cwd=ROOT,
            env={},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return (error.stdout or b"").decode("utf-8", "replace")
    if done.returncode == NOT_A_PDF:
        raise NotADocument("cannot be read as the PDF it begins as")
    return done.stdout.decode("utf-8", "replace")
