"""Rendered messages kept by their content, so that drawing a page again costs a look-up per message."""

from collections import OrderedDict
from hashlib import blake2b
from threading import Lock

MAX_CHARACTERS = 8_000_000


class RenderedTexts:
    """Least recently used out first; bounded by the characters of HTML held. Safe to share between threads."""

    def __init__(self, max_characters: int = MAX_CHARACTERS) -> None:
        self.max_characters = max_characters
        self._held = 0
        self._pages: OrderedDict[bytes, str] = OrderedDict()
        self._lock = Lock()

    @staticmethod
    def key(*parts: str) -> bytes:
        digest = blake2b(digest_size=20)
        for part in parts:
            content = part.encode("utf-8", "surrogatepass")
            digest.update(len(content).to_bytes(8, "big") + content)
        return digest.digest()

    def get(self, key: bytes) -> str | None:
        with self._lock:
            if key in self._pages:
                self._pages.move_to_end(key)
            return self._pages.get(key)

    def put(self, key: bytes, html: str) -> None:
        with self._lock:
            self._held += len(html) - len(self._pages.pop(key, ""))
            self._pages[key] = html
            while self._held > self.max_characters:
                self._held -= len(self._pages.popitem(last=False)[1])

    def clear(self) -> None:
        with self._lock:
            self._pages.clear()
            self._held = 0
