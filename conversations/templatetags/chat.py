"""What the templates of the chat ask of a message: its drawn text, its time, its route and usage in words."""

from datetime import datetime
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chatcore.accounts.principals import Principal
from chatcore.llm.contents import IMAGES
from chatcore.llm.parameters import ANSWER_LENGTH
from conversations.models import Message
from conversations.rendering import render
from conversations.turns import DOCUMENTS

LONG_TEXT = 1_800  # characters of a bubble
LONG_LINES = 18

register = template.Library()


@register.simple_tag
def icon(name: str) -> SafeString:
    """A drawing from static/icons/sprite.svg. It says nothing to a screen reader: its button is labelled."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>', static("icons/sprite.svg"), name
    )


@register.filter
def may(principal: Principal, grant: str) -> bool:
    """Whether a link leads anywhere."""
    return principal.may(grant)


@register.filter
def drawn(message: Message) -> SafeString:
    """The text as sanitised HTML."""
    return mark_safe(render(message.text, message_id=str(message.id)))  # noqa: S308 (that is what render is for)


@register.filter
def is_long(message: Message) -> bool:
    """Whether a bubble opens folded."""
    return len(message.text) > LONG_TEXT or message.text.count("\n") > LONG_LINES


@register.filter
def moment(at: datetime) -> str:
    """A time as short as it can be: 14:02, 3 Nov 14:02, 3 Nov 2025 14:02."""
    local, today = timezone.localtime(at), timezone.localdate()
    if local.date() == today:
        return date_format(local, "H:i")
    return date_format(local, "j M H:i" if local.year == today.year else "j M Y H:i")


@register.filter
def day(at: datetime) -> str:
    """For lists: 14:02 today, 3 Nov otherwise."""
    local, today = timezone.localtime(at), timezone.localdate()
    if local.date() == today:
        return date_format(local, "H:i")
    return date_format(local, "j M" if local.year == today.year else "j M Y")


@register.filter
def detour(message: Message) -> str:
    """Who answered in whose place, where the first that was asked did not; else nothing."""
    tried = message.route if isinstance(message.route, list) else []
    if len(tried) < 2 or tried[-1].get("outcome") != "answered":
        return ""
    models = {attempt.get("model") or message.model_name for attempt in tried}
    by, *others = (_who(attempt, names_models=len(models) > 1) for attempt in (tried[-1], *tried[:-1]))
    was_busy = [attempt.get("outcome") == "busy" for attempt in tried[:-1]]
    missing = _without(by, [who for who, busy in zip(others, was_busy, strict=True) if not busy])
    words = _("answered by %(by)s after %(missing)s was unavailable")
    if not missing and tried[-1].get("model", "") != message.model_name:
        missing = _without(by, [who for who, busy in zip(others, was_busy, strict=True) if busy])
        words = _("answered by %(by)s as %(missing)s was busy")
    return words % {"by": by, "missing": ", ".join(missing)} if missing else ""


def _without(by: str, names: list[str]) -> list[str]:
    """Each once, without the one that answered in the end."""
    return [name for name in dict.fromkeys(names) if name != by]


def _who(attempt: dict[str, Any], *, names_models: bool) -> str:
    """The provider; with its model where several models were asked."""
    model, provider = attempt.get("model") or "", attempt.get("provider") or attempt.get("deployment") or ""
    return f"{model} ({provider})" if names_models and model else str(provider)


@register.filter
def tokens(message: Message) -> str:
    """What the answer cost in tokens; nothing where the provider did not say."""
    usage = message.usage or {}
    written = usage.get("output_tokens")
    if written is None:
        return ""
    number = f"{'≈ ' if usage.get('estimated') else ''}{written:,}"
    return ngettext("%(number)s token", "%(number)s tokens", written) % {"number": number}


@register.filter
def token_details(message: Message) -> str:
    """The counts that are known, for the tooltip of `tokens`."""
    usage = message.usage or {}
    parts = [
        (usage.get("input_tokens"), _("%(number)s read")),
        (usage.get("cached_tokens"), _("%(number)s of them cached")),
        (usage.get("cache_write_tokens"), _("%(number)s of them put into the cache")),
        (usage.get("output_tokens"), _("%(number)s written")),
        (usage.get("reasoning_tokens"), _("%(number)s of them reasoning")),
    ]
    return ", ".join(words % {"number": f"{count:,}"} for count, words in parts if count)


@register.filter
def left_out(message: Message) -> list[str]:
    """What the model was not given, in sentences."""
    names = [name for name in message.dropped if name not in (IMAGES, DOCUMENTS, ANSWER_LENGTH)]
    words = [_("Not taken by this model: %(names)s") % {"names": ", ".join(names)}] if names else []
    if ANSWER_LENGTH in message.dropped:
        words.append(_("At most as long as this model can write, which is less than was asked for"))
    if IMAGES in message.dropped:
        words.append(_("Made without some images: this model was not shown them"))
    if DOCUMENTS in message.dropped:
        words.append(_("Made without some of a document: it could not be read whole"))
    return words


@register.filter
def why(message: Message) -> str:
    """Why a reply failed, in words for the person who asked."""
    error = message.error or {}
    return str(
        error.get("detail") or _("The reply could not be finished. Try again, or choose another model.")
    )
