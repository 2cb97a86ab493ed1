"""JSON bodies of both halves of the API, as pydantic shapes."""

from typing import Any, ClassVar, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, PydanticCustomError
from rest_framework.request import Request

from chatcore.problems import pydantic_problem

MAX_FIELDS = 100


class Body(BaseModel):
    """One JSON object. A field it does not know is refused: a typo must not be ignored in silence."""

    model_config = ConfigDict(extra="forbid")
    EXAMPLE: ClassVar[dict[str, Any]]

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """An absent field has no default: it is left as it is, or to be chosen."""
        reference = handler(core_schema)
        schema = handler.resolve_ref_schema(reference)
        for field in schema["properties"].values():
            field.pop("default", None)
            field.pop("title", None)
        schema["examples"] = [cls.EXAMPLE]
        return reference

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, data: Any) -> Any:
        """Naming what is wrong with each of a hundred thousand fields would take seconds."""
        if isinstance(data, dict) and len(data) > MAX_FIELDS:
            raise PydanticCustomError("too_many_fields", "has too many fields")
        return data

    def given(self) -> dict[str, Any]:
        """The fields the client named."""
        return self.model_dump(exclude_unset=True)


Shape = TypeVar("Shape", bound=Body)


def read_body(shape: type[Shape], request: Request) -> Shape:
    """The request's body in this shape. Raises Invalid, which names every field that is not as it should be."""
    try:
        return shape.model_validate(request.data)
    except pydantic.ValidationError as error:
        raise pydantic_problem(error.errors(include_url=False)) from None
