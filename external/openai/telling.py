"""A stream goes on where an answer begins anew, if the new one says what was told already: it cannot be taken back."""

from external.openai.sources import Failed

RESTARTED = {
    "code": "restarted",
    "detail": "The provider broke off and another one answers differently, so the text so far is void. "
    "The whole answer will be in the conversation; or ask again.",
    "retryable": True,
}


class Telling:
    """Of each piece it gives what the client is to be told: nothing, while an answer repeats what it knows."""

    def __init__(self) -> None:
        self._told = ""
        self._again: str | None = (
            None  # what the answer that began anew has said, until it says more than was told
        )
        self._has_reasoned = self._is_reasoned = False  # in this attempt or before; before alone

    def text(self, piece: str) -> str:
        """Raises Failed where the answer has become another one."""
        if self._again is None:
            self._told += piece
            return piece
        self._again += piece
        if self._again.startswith(self._told):
            fresh = self._again[len(self._told) :]
            self._told, self._again = self._again, None
            return fresh
        if not self._told.startswith(self._again):
            raise Failed(RESTARTED)
        return ""

    def reasoning(self, piece: str) -> str:
        """That of one attempt alone: nobody checks it against what was said before."""
        self._has_reasoned = True
        return "" if self._is_reasoned else piece

    def restart(self) -> None:
        self._is_reasoned = self._has_reasoned
        self._again = "" if self._told else None

    def end(self) -> None:
        """Raises Failed where the new answer is shorter than what was told."""
        if self._again is not None:
            raise Failed(RESTARTED)
