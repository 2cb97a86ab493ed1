"""What the page says of a reply whose model was not given everything."""

from conversations.models import Message
from conversations.templatetags.chat import left_out


def test_what_the_model_was_not_given_is_said_in_words() -> None:
    assert left_out(Message(dropped=[])) == []
    assert left_out(Message(dropped=["seed", "answer_length", "stop"])) == [
        "Not taken by this model: seed, stop",
        "At most as long as this model can write, which is less than was asked for",
    ]
