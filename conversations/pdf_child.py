"""Reads a PDF's text in a process of its own, run as `python -m conversations.pdf_child`; nothing else imports it.

The PDF comes by stdin, the text goes to stdout. It may take a gigabyte and some seconds, whatever the file makes of
it; exit status 3 says that it is no PDF.
"""

import io
import logging
import resource
import sys

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from conversations.documents import MAX_CHARACTERS, NOT_A_PDF

MEMORY = 1024**3  # bytes
CPU_SECONDS = 10
MAX_PAGES = 500


def main() -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.disable()
    try:
        reader = PdfReader(io.BytesIO(sys.stdin.buffer.read()))
        count = 1 if reader.is_encrypted and not reader.decrypt("") else len(reader.pages)
    except (PyPdfError, OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return NOT_A_PDF
    if not reader.is_encrypted or reader.decrypt(""):
        _write(reader, min(count, MAX_PAGES))
    return 0


def _write(reader: PdfReader, count: int) -> None:
    """Page by page, so that what was read stays where a later page takes too long."""
    left = 2 * MAX_CHARACTERS
    for number in range(count):
        try:
            text = reader.pages[number].extract_text()
        except (PyPdfError, OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            continue
        sys.stdout.buffer.write(text[:left].encode("utf-8", "replace") + b"\n\n")
        sys.stdout.buffer.flush()
        left -= len(text)
        if left <= 0:
            return


if __name__ == "__main__":
    sys.exit(main())
