"""What a provider's refusal says of the fields of a request: that one is not known, or that a value cannot be.

A field that is not known is left out of everybody's requests to that model from then on. A value concerns the one
request it came with. The wordings are those of OpenAI, Azure, Groq, Cerebras, xAI, Mistral, Fireworks, Moonshot,
NVIDIA, Ollama, Gemini and vLLM, and of what servers are built with: pydantic, Go, Rust.
"""

import re
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from functools import cache

from chatcore.llm.errors import ProviderError
from chatcore.llm.parameters import OTHER_NAMES

LIMIT, NEWER_LIMIT = "max_tokens", "max_completion_tokens"
LIMITS = frozenset({LIMIT, NEWER_LIMIT})
# Without these the answer would be another one than was asked for: that is for whoever asks to decide.
CONDITIONS = frozenset({"response_format", "stop", "tool_choice", "tools"})
MOST_LESSONS = 8  # of one request
MOST_SAID = 8_192  # characters of a refusal that are looked at
WORDS = frozenset({"user", "stop"})  # names only where they are quoted

_QUOTE = r"\\{0,4}[\"'`]"  # in JSON in JSON it is escaped
_KIND = r"(?:param(?:eter)?|argument|field|property|key|name|option|input)(?:s|\(s\))?"
# "With tools", "when …" and the like: the field is known, and does not go with another one.
_FOR_GOOD = r"(?! (?:when|if|while|unless|together|in combination|and|with (?!this\b|the\b)))"
_EXTRA = r"extra (?:inputs|fields)(?: are)? not permitted"
_OTHER_NAMES = {
    LIMIT: ("maxTokens", "maxOutputTokens", "max_output_tokens"),
    NEWER_LIMIT: ("maxCompletionTokens", "maxOutputTokens", "max_output_tokens"),
    "reasoning_effort": ("reasoningEffort", "reasoning value"),
    "response_format": ("responseFormat", "response format"),
}
_UNSUPPORTED = re.compile(r"(?:not|n't) support|unsupported|(?:un|not )available", re.IGNORECASE)
_BAD_SCHEMA = re.compile(r"invalid (?:json )?schema|schema .{0,40}invalid", re.IGNORECASE)
_TOO_MUCH = re.compile(
    r"too (?:large|big|high|long)|at most|above|(?<!not be )less than|<=|> ?\d|exceed|maximum|range|up to",
    re.IGNORECASE,
)
_CODE = re.compile(rf"{_QUOTE}code{_QUOTE}\s*:\s*{_QUOTE}(?:unsupported|unknown)_parameter{_QUOTE}")
_PARAM = re.compile(rf"{_QUOTE}param{_QUOTE}\s*:\s*{_QUOTE}[$.]*(?:body\.)?(\w+)")
_LOCATION = re.compile(rf"loc{_QUOTE}\s*:\s*[\[(]\s*(?:{_QUOTE}body{_QUOTE},\s*)?{_QUOTE}(\w+)")
_ELSEWHERE = frozenset({"messages", "model", "input", "tools"})


class Lessons:
    """What refusals have taught one provider's instance, by model: servers pass some of them on to others."""

    def __init__(self) -> None:
        self._unknown: dict[str, set[str]] = {}

    def unknown(self, model: str) -> AbstractSet[str]:
        """The fields that requests to this model do without."""
        return self._unknown.get(model, frozenset())

    def spared(self, model: str, sent: AbstractSet[str], error: ProviderError, said: str) -> str:
        """The field of `sent` to leave out when the request is made again; "": it is refused as it is.

        Then `error` names the parameter it is about, where that is known.
        """
        text = _plain(said)
        if error.code == "bad_request" and (name := unknown_field(text, sent)):
            self._unknown.setdefault(model, set()).add(name)
            return name
        name = refused_value(text, sent)
        if error.code == "bad_request" and name:
            if _is_dispensable(name, text):
                return name
            error.parameter = OTHER_NAMES.get(name, name)
        # Some count the wished length to what is too long to be read.
        too_much = error.code == "context_too_long" and name in LIMITS and _TOO_MUCH.search(text)
        return name if too_much else ""


def unknown_field(said: str, sent: AbstractSet[str]) -> str:
    """The first of the `sent` fields that is not known to who refuses, or ""."""
    if _CODE.search(said) and (named := _PARAM.search(said)) and named[1] in sent:
        rest = said[named.end() : named.end() + 1]
        if rest not in {".", "["}:
            return named[1]
    return _first(said, sent, _unknown)


def refused_value(said: str, sent: AbstractSet[str]) -> str:
    """The field of `sent` whose value is refused, or ""."""
    for pattern in (_LOCATION, _PARAM):
        named = [found[1] for found in pattern.finditer(said)]
        if (name := next((each for each in named if each in sent), "")) or _ELSEWHERE & {*named}:
            return name
    return _first(said, sent, _mention)


def _is_dispensable(name: str, said: str) -> bool:
    if name in LIMITS:  # without it the answer ends at the model's own limit, which is less than was wished
        return bool(_TOO_MUCH.search(said))
    if name in CONDITIONS:  # a kind that the model does not know, not one that was made wrong
        return bool(_UNSUPPORTED.search(said)) and not _BAD_SCHEMA.search(said)
    return True


def _first(said: str, sent: Iterable[str], pattern: Callable[[str], re.Pattern[str]]) -> str:
    found = {name: match.start() for name in sent if (match := pattern(name).search(said))}
    return min(found, key=lambda name: found[name]) if found else ""


def _plain(said: str) -> str:
    """Without the escapes of JSON in JSON, and without guesses what was meant."""
    text = re.sub(r"\\{1,4}u00(?:22|27|60)", "'", said[:MOST_SAID])
    return re.sub(r"did you mean[^?]{0,200}\?", "", re.sub(r"\\{1,4}[nrt]", " ", text))


@cache
def _unknown(name: str) -> re.Pattern[str]:
    """Where a refusal says that there is no such field, or that it cannot be set at all."""
    names = "|".join(map(re.escape, _names(name)))
    n = rf"(?:{names})(?!\w|\.\w|\[)"
    free = (
        rf"(?<![\w.])(?<!\w/){_QUOTE}{n}{_QUOTE}" if name in WORDS else rf"(?<![\w.])(?<!\w/)(?:{n}){_QUOTE}?"
    )
    location = rf"loc{_QUOTE}\s*:\s*[\[(]\s*(?:{_QUOTE}body{_QUOTE},\s*)?{_QUOTE}{n}{_QUOTE},?\s*[\])]"
    forms = (
        rf"(?:unsupported|unknown|unrecognized|unexpected)(?: \w+)? {_KIND}(?: supplied)?:? ?{_QUOTE}?(?:body\.)?{n}"
        rf"(?!{_QUOTE} at )",
        rf"{free}(?: (?:parameter|argument|field))? is (?:unsupported|not (?:supported|allowed|permitted|recognized)"
        rf"|unknown|unrecognized|deprecated)\b{_FOR_GOOD}",
        rf"property {_QUOTE}body\.{n}{_QUOTE} is unsupported",
        rf"(?:not|n't) (?:support|accept|allow|recognize) (?:the )?{_KIND}:? {_QUOTE}?{n}{_FOR_GOOD}",
        rf"{_KIND}(?: is)? not supported(?: \w+){{0,4}}: {_QUOTE}?{n}",
        rf"extra_forbidden{_QUOTE},\s*{_QUOTE}{location}",
        rf"{location}[^\[\](){{}}]{{0,120}}?(?:extra_forbidden|{_EXTRA})",
        rf"(?<![\w.])(?<!\w/){n}{_QUOTE}?: {_EXTRA}",
        rf"{_EXTRA}, field: {_QUOTE}{n}{_QUOTE}",
        # Only one value can be: then there is nothing to choose.
        rf"{n}{_QUOTE} does not support .{{1,40}}? with this model\. Only the default",
        rf"invalid {n}: only .{{1,12}} is allowed for this model",
        *((r"does not support thinking",) if name == "reasoning_effort" else ()),
    )
    return re.compile("|".join(forms), re.IGNORECASE)


@cache
def _mention(name: str) -> re.Pattern[str]:
    """Where a refusal names a field. One whose name is a common word must be named as such."""
    names = [*_names(name), *(LIMITS - {name} if name in LIMITS else ())]
    n = rf"(?:{'|'.join(map(re.escape, names))})"
    if "_" in name:
        return re.compile(rf"(?<!\w){n}(?!\w)", re.IGNORECASE)
    forms = (
        rf"{_QUOTE}(?:(?!messages)[$\w]+\.|\$\.)*{n}{_QUOTE}",
        rf"(?:invalid|range of|value (?:of|for)|supplied|parameter|argument|field|property):? {n}(?!\w)",
        rf"(?<!\w){n}{_QUOTE}?(?:: | (?:must|should|cannot|can't|and {_QUOTE}?top_p|range|value)\b)",
    )
    return re.compile("|".join(forms), re.IGNORECASE)


def _names(name: str) -> tuple[str, ...]:
    """As servers write it: xAI in camel case, others as their own interface does."""
    camel = re.sub(r"_(\w)", lambda part: part[1].upper(), name)
    return (name, *_OTHER_NAMES.get(name, (camel,) if camel != name else ()))
