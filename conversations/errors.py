"""What can be wrong with a wish about conversations."""

from typing import ClassVar

from chatcore.errors import Conflict, Invalid


class NotAReply(Invalid):
    """This message was not written by a model, so there is nothing to stop, retry or regenerate."""

    code: ClassVar[str] = "not_a_reply"


class NotEditable(Invalid):
    """Only messages that people or outside systems wrote can be edited."""

    code: ClassVar[str] = "not_editable"


class NotCompared(Invalid):
    """This reply stands in no comparison, so there is nothing to choose it from."""

    code: ClassVar[str] = "not_compared"


class StillRunning(Conflict):
    """The reply is still running. Stop it first."""

    code: ClassVar[str] = "reply_running"


class AlreadyFinished(Conflict):
    """The reply has already finished."""

    code: ClassVar[str] = "reply_finished"


class NothingSaid(Invalid):
    """This reply ended before its first word, so there is nothing to continue. Try it again."""

    code: ClassVar[str] = "nothing_said"


class NoModel(Invalid):
    """No model is available to you. Ask an administrator to add a provider."""

    code: ClassVar[str] = "no_model"
