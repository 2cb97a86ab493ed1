"""What routing tells of each deployment that it considered."""

from dataclasses import dataclass

from chatcore.llm.candidates import Candidate

ANSWERED = "answered"
STOPPED = "stopped"
NOT_ASKED = frozenset({"busy", "circuit_open"})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One deployment considered. `outcome` is "answered", the code of its ProviderError, or "stopped": the request was
    ended before it had said a word.

    Those of NOT_ASKED were passed over: every place was taken, or the breaker was open. One that broke off in
    mid-answer has two: "answered", and then its failure. `seconds` is the time to the first token, or to the failure.
    `detail` is for staff.
    """

    deployment: str
    provider: str
    model: str
    outcome: str
    seconds: float
    detail: str = ""
    deployment_id: str = ""
    model_id: str = ""


def attempt_at(candidate: Candidate, outcome: str, seconds: float, detail: str) -> Attempt:
    return Attempt(
        candidate.label,
        candidate.provider,
        candidate.model,
        outcome,
        round(seconds, 3),
        detail,
        str(candidate.deployment_id),
        str(candidate.model_id),
    )
