"""What staff pages of several apps stand on."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest


class ShortJSON(forms.JSONField):
    """Nothing is an empty field, not the word null."""

    def prepare_value(self, value: Any) -> Any:
        return "" if value is None else super().prepare_value(value)


# As small as what usually stands in it.
SHORT_JSON: Any = {
    models.JSONField: {
        "form_class": ShortJSON,
        "widget": forms.Textarea(attrs={"rows": 3, "cols": 60, "spellcheck": "false"}),
    }
}


class Written(admin.ModelAdmin[Any]):
    """Rows that the product writes, many of them: staff look, and may delete; they add and change none."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


class Kept(Written):
    """Those that nobody deletes by hand either."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False
