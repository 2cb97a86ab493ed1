"""Options that a class asks for by name, as people type them: of adapters and of kinds of authenticators.

Each is a text unless the class's SHAPES say otherwise: `json`, `lines` (a list of texts), `flag` (true or left out),
or a tuple of what can be chosen.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chatcore.accounts.integrations.forms import LinesField

Shape = Literal["text", "json", "lines", "flag"] | tuple[str, ...]
CAPITALS = frozenset({"id", "jwks", "sid", "url"})
PLAIN = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}


class JsonField(forms.CharField):
    """A JSON document; None where it is empty."""

    widget = forms.Textarea(attrs={**PLAIN, "rows": 6})

    def prepare_value(self, value: Any) -> Any:
        """What was typed stays as it was typed."""
        return (
            value
            if isinstance(value, str) or value is None
            else json.dumps(value, indent=2, ensure_ascii=False)
        )

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise forms.ValidationError(_("This is no JSON.")) from None


def option_fields(
    prefix: str, told: Mapping[str, str], shapes: Mapping[str, Shape], stored: Mapping[str, Any]
) -> dict[str, forms.Field]:
    """A field for each option, named `prefix-option`, with what is stored."""
    return {
        f"{prefix}-{name}": _field(_shape(shapes, name, stored.get(name)), name, what, stored.get(name))
        for name, what in told.items()
    }


def options_given(prefix: str, cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are not left empty."""
    named = {
        name.removeprefix(f"{prefix}-"): value
        for name, value in cleaned.items()
        if name.startswith(f"{prefix}-")
    }
    return {name: value for name, value in named.items() if value not in (None, "", [], False)}


def options_shown(stored: Mapping[str, Any]) -> dict[str, str]:
    """Label and text of each: what is no text as the JSON it was given as."""
    return {
        label_of(name): value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
        for name, value in stored.items()
    }


def secret_field(label: str, what: str, *, is_stored: bool, limit: int) -> forms.Field:
    """It goes in and is never shown again."""
    told = (
        _("One is stored; leave this empty to keep it.")
        if is_stored
        else _("Stored encrypted, never shown again.")
    )
    return forms.CharField(
        label=label,
        required=False,
        max_length=limit,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text=f"{capfirst(what)}. {told}",
    )


def label_of(name: str) -> str:
    words = [word.upper() if word in CAPITALS else word for word in name.split("_")]
    return capfirst(" ".join(words))


def _shape(shapes: Mapping[str, Shape], name: str, stored: Any) -> Shape:
    """What is stored in another shape than its class's is shown as what it is."""
    shape = shapes.get(name, "text")
    fits = {"json": True, "lines": isinstance(stored, list), "flag": isinstance(stored, bool)}
    is_fit = fits[shape] if shape in fits else isinstance(stored, str)
    return shape if stored is None or is_fit else "json"


def _field(shape: Shape, name: str, what: str, stored: Any) -> forms.Field:
    usual: dict[str, Any] = {
        "label": label_of(name),
        "help_text": capfirst(what.removeprefix("true: ").replace("`", "")),
        "required": False,
        "initial": stored,
    }
    if shape == "json":
        return JsonField(**usual)
    if shape == "lines":
        return LinesField(**usual | {"help_text": _("%s; one to a line.") % usual["help_text"]})
    if shape == "flag":
        return forms.BooleanField(**usual)
    if isinstance(shape, tuple):
        choices = [("", gettext_lazy("As usual")), *((each, each) for each in shape)]
        return forms.ChoiceField(choices=choices, **usual | {"help_text": what.replace("`", "")})
    return forms.CharField(widget=forms.TextInput(attrs=PLAIN), max_length=2_000, **usual)
