"""What is written about the catalogue is what the catalogue is."""

import json
import re

import pytest
from pydantic import ValidationError

import chatcore.asgi  # noqa: F401  # brings every door, and with it every frame a client may send
from chatcore.realtime import documents
from chatcore.realtime.catalogue import check
from chatcore.realtime.events import Hello
from chatcore.realtime.frames import control
from tests.running import ROOT


def test_the_documents_are_those_of_the_classes() -> None:
    assert (ROOT / documents.GUIDE).read_text() == documents.guide(), "run `make docs`"
    assert (ROOT / documents.ASYNCAPI).read_text() == documents.asyncapi(), "run `make docs`"


def test_whatever_the_document_refers_to_is_there() -> None:
    document = json.loads(documents.asyncapi())
    references = set(re.findall(r'"\$ref": "#/([^"]+)"', documents.asyncapi()))
    assert references
    for reference in references:
        found = document
        for step in reference.split("/"):
            found = found[step]


def test_a_frame_that_is_not_as_declared_is_found_out() -> None:
    said = control(Hello(cursor="c")).body
    check(said)
    for wrong in (said | {"more": 1}, said | {"data": {}}, said | {"data": {"cursor": "c", "more": 1}}):
        with pytest.raises(ValidationError):
            check(wrong)
