"""Links of messages: which addresses are allowed, bare addresses, and the host a reader is shown."""

import re
from urllib.parse import urlsplit

from markdown_it.rules_inline import StateInline

SCHEMES = frozenset({"http", "https", "mailto", "tel"})
UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
ENCODED = re.compile(r"%(?:[01][0-9a-f]|5c|7f)", re.IGNORECASE)  # the same, which no path of this site has
HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")
BARE = re.compile(r"//[^\s<>\[\]\"`\\^{|}\u3000-\u303f\uff00-\uffef]+")


def is_site_path(url: str) -> bool:
    """Whether `url` is an absolute path of this site. Browsers read `//host` and `/\\host` as another host."""
    return (
        url.startswith("/")
        and not url.startswith("//")
        and not UNSAFE.search(url)
        and not ENCODED.search(url)
    )


def is_allowed(url: str) -> bool:
    """Whether a message may link to `url`: http(s) with a plain host, mailto, tel, or a path of this site."""
    if UNSAFE.search(url):
        return False
    if url.startswith("/"):
        return is_site_path(url)
    scheme, _, rest = url.partition(":")
    if scheme.lower() in {"mailto", "tel"}:
        return bool(rest)
    return bool(host(url))


def host(url: str) -> str:
    """The host of an http(s) address, or the address of a mailto/tel one; empty where there is none to trust.

    An address with a user part (`https://bank.example@evil.example`) or with other than two slashes has none.
    """
    scheme, _, rest = url.partition(":")
    scheme = scheme.lower()
    if scheme in {"mailto", "tel"}:
        return rest.partition("?")[0]
    if scheme not in {"http", "https"} or not rest.startswith("//") or rest.startswith("///"):
        return ""
    try:
        parts = urlsplit(url)
        name = parts.hostname or ""
    except ValueError:
        return ""
    name = f"[{name}]" if ":" in name else name
    return name if HOST.fullmatch(name) and "@" not in parts.netloc else ""


def shows(text: str, name: str) -> bool:
    """Whether a link's own text is an address at host `name`, so that naming the host again says nothing new."""
    shown = re.sub(r"^https?://", "", text.strip().lower())
    return re.match(rf"(?:www\.)?{re.escape(name.removeprefix('www.'))}(?:[/?#:]|$)", shown) is not None


def bare_address(state: StateInline, silent: bool) -> bool:
    """Inline rule: `https://…` standing in the text is a link, without the punctuation that ends the sentence."""
    start = state.pos
    if not state.src.startswith("://", start) or state.linkLevel:
        return False
    scheme = next((name for name in ("https", "http") if state.src.endswith(name, 0, start)), "")
    found = BARE.match(state.src, start + 1, state.posMax)
    if not scheme or not found or _is_wordy(state.src, start - len(scheme) - 1):
        return False
    url = scheme + ":" + _without_punctuation(found[0])
    href = state.md.normalizeLink(url)
    if not state.md.validateLink(href):
        return False
    if not silent:
        state.pending = state.pending[: -len(scheme)]
        state.push("link_open", "a", 1).attrs = {"href": href}
        state.push("text", "", 0).content = url
        state.push("link_close", "a", -1)
    state.pos = start + len(url) - len(scheme)
    return True


def _is_wordy(text: str, position: int) -> bool:
    return position >= 0 and text[position].isalnum()


def _without_punctuation(address: str) -> str:
    while address and (address[-1] in "?!.,:;*_~'" or _closes_nothing(address)):
        address = address[:-1]
    return address


def _closes_nothing(address: str) -> bool:
    return address.endswith(")") and address.count(")") > address.count("(")
