"""What a file is, by its bytes, and under which name it is kept. What its sender says of it is not believed."""

import json
import mimetypes
import unicodedata
from collections.abc import Mapping
from pathlib import PurePosixPath

MAX_NAME_LENGTH = 150
UNNAMED = "file"
SIGNATURES: Mapping[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"%PDF-": "application/pdf",
}
# The first is what a name gets that has none of them.
ENDINGS: Mapping[str, tuple[str, ...]] = {
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg", ".jfif"),
    "image/gif": (".gif",),
    "image/webp": (".webp",),
    "application/pdf": (".pdf",),
}
TEXTS: Mapping[str, str] = {".md": "text/markdown", ".markdown": "text/markdown", ".csv": "text/csv"}
# Endings of texts that the standard tables take for something else.
ALSO_TEXT = frozenset(
    {".json", ".xml", ".js", ".mjs", ".ts", ".sh", ".sql", ".yaml", ".yml", ".toml", ".tex"}
)
WRITTEN_CONTROLS = "\t\n\r\f\x1b"
# Marks that change the direction in which a name is read, so that it would look like another one.
DIRECTION_MARKS = dict.fromkeys(
    map(ord, "\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
)


def type_of(content: bytes, name: str) -> str:
    """The media type of the bytes; empty for what is neither an image nor a document we know.

    The name only tells one kind of text from another.
    """
    for signature, media_type in SIGNATURES.items():
        if content.startswith(signature):
            return media_type
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    text = decoded(content)
    if text is None:
        return ""
    ending = PurePosixPath(name).suffix.lower()
    if ending == ".json" and _is_json(text):
        return "application/json"
    return TEXTS.get(ending, "text/plain")


def decoded(content: bytes) -> str | None:
    """The text the bytes are: UTF-8, UTF-16 with its mark, or what Windows wrote before; None if they are none."""
    marked = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not any(character < " " and character not in WRITTEN_CONTROLS for character in set(text)):
            return text
    return None


def clean_name(name: str, media_type: str) -> str:
    """The last part of a path, without what cannot be seen, ending as its type does."""
    plain = (
        unicodedata.normalize("NFC", name.translate(DIRECTION_MARKS)).replace("\\", "/").rpartition("/")[2]
    )
    shown = "".join(" " if unicodedata.category(one)[0] in "CZ" else one for one in plain)
    kept = " ".join(shown.split()).strip(". ") or UNNAMED
    ending = _missing_ending(kept, media_type)
    path = PurePosixPath(kept)
    room = MAX_NAME_LENGTH - len(ending)
    if len(kept) > room:
        suffix = path.suffix[:20]
        kept = kept[: room - len(suffix)] + suffix
    return kept + ending


def _missing_ending(name: str, media_type: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    if endings := ENDINGS.get(media_type):
        return "" if suffix in endings else endings[0]
    guessed = mimetypes.guess_type(f"x{suffix}", strict=False)[0] or "text/plain"
    return "" if guessed.startswith("text/") or suffix in ALSO_TEXT else ".txt"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
