"""Log-likelihoods of given answers, from what a server says of a question or of the first token."""

import math
from collections.abc import Mapping, Sequence

from ambi_tasks.errors import UserError
from model_adapters.backend import Score
from model_adapters.chat_api.wire import PromptToken

MOST_UNTOLD = 0.01
"""A label may begin with tokens of at most this probability without being one of the rivals."""


def score_behind(
    question: Sequence[PromptToken], whole: Sequence[PromptToken], answer: str
) -> Score:
    """The score of an answer that was put behind the question.

    Args:
        question: The question's tokens.
        whole: Those of question and answer.
        answer: The answer, for the message.

    Raises:
        UserError: The answer's tokens cannot be told from the question's.
    """
    start = len(question)
    same = [token.id for token in question] == [token.id for token in whole[:start]]
    if not same or len(whole) == start:
        raise UserError(
            f"alm_api: the server's chat template does not put the answer '{answer}' behind the "
            f"question as it stands, so that its probability cannot be told; choose another "
            f"strategy than tlr, and a verifier with score=rating."
        )
    tokens = whole[start:]
    return Score(
        log_likelihood=math.fsum(token.log_probability for token in tokens),
        tokens=len(tokens),
        greedy=all(token.first for token in tokens),
    )


def scores_of_rivals(
    rivals: Mapping[str, float], answers: Sequence[str]
) -> tuple[list[Score], float]:
    """The scores of answers of one token each, from the most probable first tokens.

    An answer that is not among these has at most the probability of what is missing; it counts as
    nothing, and the missing probability is reported.

    Args:
        rivals: First tokens and their log-probabilities.
        answers: The answers.

    Returns:
        The scores, and the probability of all tokens that are not among the rivals.

    Raises:
        UserError: An answer seems to be several tokens: one that it begins with is probable.
    """
    best = max(rivals.values())
    scores = []
    for answer in answers:
        if answer in rivals:
            value = rivals[answer]
            scores.append(Score(value, 1, greedy=value == best))
            continue
        begun = math.fsum(
            math.exp(value) for token, value in rivals.items() if token and answer.startswith(token)
        )
        if begun > MOST_UNTOLD:
            raise UserError(
                f"alm_api: '{answer}' is more than one token of this model, and the server gives "
                f"the probabilities of first tokens alone (offers=logprobs); choose another "
                f"strategy than tlr, and a verifier with score=rating."
            )
        scores.append(Score(-math.inf, 1, greedy=False))
    missing = 1 - math.fsum(math.exp(value) for value in rivals.values())
    return scores, max(0.0, missing)
