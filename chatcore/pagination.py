"""Keyset pages for both halves of the API: `{results, next, previous}`, by a signed position, never by offset."""

from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.core import signing
from django.db.models import F, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chatcore.errors import FieldProblem, Invalid, Malformed

DEFAULT_SIZE, MAX_SIZE = 50, 200


class KeysetPagination(BasePagination):
    """Pages through `keyset`, a view's tuple of field names, newest first when `newest_first`.

    Compares whole rows: the OR form of the same condition reads every row before the page.
    """

    keyset: ClassVar[tuple[str, ...]] = ("id",)
    newest_first: ClassVar[bool] = True

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any]:
        self.request = request
        self.keys = getattr(view, "keyset", self.keyset)
        self.descending = getattr(view, "newest_first", self.newest_first)
        size = page_size(request.query_params.get("page_size"))
        token = request.query_params.get("cursor")
        backwards, position = _read(token, request.path) if token else (False, None)
        rows = self._rows(queryset, size, backwards=backwards, position=position)
        more, rows = len(rows) > size, rows[:size]
        if backwards:
            rows.reverse()
        self.next_link = self._link(rows, -1, backwards=False) if (more or backwards) and rows else None
        has_previous = more if backwards else position is not None
        self.previous_link = self._link(rows, 0, backwards=True) if has_previous and rows else None
        return rows

    def _rows(
        self, queryset: QuerySet[Any], size: int, *, backwards: bool, position: Sequence[Any] | None
    ) -> list[Any]:
        descending = self.descending != backwards
        if position is not None:
            left = Tuple(*(F(key) for key in self.keys))
            right = tuple(_typed(queryset, key, raw) for key, raw in zip(self.keys, position, strict=True))
            queryset = queryset.filter(
                TupleLessThan(left, right) if descending else TupleGreaterThan(left, right)
            )
        return list(queryset.order_by(*(f"-{key}" if descending else key for key in self.keys))[: size + 1])

    def _link(self, rows: list[Any], index: int, *, backwards: bool) -> str:
        values = [_json_value(rows[index], key) for key in self.keys]
        cursor = _signer(self.request.path).sign_object({"b": backwards, "p": values})
        return link(self.request, cursor=cursor)

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self.next_link, "previous": self.previous_link})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {"results": schema, "next": link, "previous": link},
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:  # noqa: ARG002
        size = {"type": "integer", "minimum": 1, "maximum": MAX_SIZE, "default": DEFAULT_SIZE}
        return [
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "schema": {"type": "string"},
                "description": "A position from `next` or `previous` of an earlier page.",
            },
            {
                "name": "page_size",
                "in": "query",
                "required": False,
                "schema": size,
                "description": "Rows on one page.",
            },
        ]


def page_size(text: str | None) -> int:
    if text is None:
        return DEFAULT_SIZE
    if len(text) > 3 or not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= MAX_SIZE:
        raise refused("page_size", f"must be a whole number from 1 to {MAX_SIZE}")
    return int(text)


def refused(parameter: str, detail: str) -> Invalid:
    """The problem of a parameter in the address's query."""
    return Invalid(f"{parameter} {detail}.", errors=[FieldProblem(f"/{parameter}", detail)])


def link(request: Request, **changes: str) -> str:
    """The address of the request with other values in its query."""
    query = urlencode({**request.query_params.dict(), **changes})
    return request.build_absolute_uri(f"{request.path}?{query}")


def _signer(path: str) -> signing.Signer:
    """Each list has its own: a position in one is none in another."""
    return signing.Signer(salt=f"chatcore.page:{path}", sep=".")


def _read(token: str, path: str) -> tuple[bool, list[Any]]:
    try:
        whole = _signer(path).unsign_object(token)
    except (signing.BadSignature, ValueError):
        raise Malformed("The cursor is not one this server gave out for this list.") from None
    return bool(whole["b"]), list(whole["p"])


def _typed(queryset: QuerySet[Any], key: str, raw: Any) -> Any:
    return queryset.model._meta.get_field(key.removesuffix("_id") if key != "id" else key).to_python(raw)


def _json_value(row: Any, key: str) -> str:
    value = getattr(row, key)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
