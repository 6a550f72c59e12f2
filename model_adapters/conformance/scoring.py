"""How an adapter scores given answers."""

import math

from model_adapters.backend import Score, ScoreOrder
from model_adapters.conformance.check import check, require
from model_adapters.conformance.subject import GREEDY, LABELS, Subject, asking, is_sentence

_TOLERANCE = 1e-3
_LOOSE = 0.05  # of the value, in half precision
_LONGER = " and angry"


def _near(one: float, other: float, *, exact: bool) -> bool:
    return abs(one - other) <= (_TOLERANCE if exact else max(_LOOSE * abs(one), _LOOSE))


@check(lambda can: can.log_likelihood)
def scores_are_well_formed(subject: Subject) -> None:
    """One for every answer of every question, each a log-probability of some tokens."""
    orders = [asking(clip, prompt="label") for clip in subject.clips]
    for scores in subject.score(*orders):
        require(len(scores) == len(LABELS), f"{len(LABELS)} answers have {len(scores)} scores.")
        for one in scores:
            require(isinstance(one, Score), f"A score is {type(one).__name__}, not a Score.")
            value = one.log_likelihood
            sound = math.isfinite(value) and value <= 0
            require(sound, f"{value} is no log-likelihood: it is finite and not above 0.")
            counted = isinstance(one.tokens, int) and one.tokens > 0
            require(counted, f"An answer cannot have {one.tokens} tokens.")
    require(not list(subject.backend.log_likelihoods([])), "Scores came of nothing.")


@check(lambda can: can.log_likelihood)
def scores_are_alike_in_any_batch(subject: Subject) -> None:
    """An answer has the same score alone and among others."""
    exact = subject.backend.capabilities.repeatable
    questions = [asking(clip, prompt="label") for clip in subject.clips]
    together = subject.score(*questions)
    for question, scores in zip(questions, together, strict=True):
        for label, score in zip(LABELS, scores, strict=True):
            ((alone,),) = subject.score(question, answers=(label,))
            require(
                _near(alone.log_likelihood, score.log_likelihood, exact=exact),
                f"The log-likelihood of {label!r} is {alone.log_likelihood:.6f} alone, and "
                f"{score.log_likelihood:.6f} among others.",
            )


@check(lambda can: can.log_likelihood)
def longer_answers_are_no_more_probable(subject: Subject) -> None:
    """All tokens of an answer count."""
    answers = [label + more for label in LABELS for more in ("", _LONGER)]
    (scores,) = subject.score(asking(subject.clips[0], prompt="label"), answers=answers)
    values = [one.log_likelihood for one in scores]
    for label, short, long in zip(LABELS, values[::2], values[1::2], strict=True):
        require(
            long <= short + _TOLERANCE,
            f"{label + _LONGER!r} ({long:.4f}) is more probable than its beginning "
            f"({short:.4f}): not all tokens are scored.",
        )


@check(lambda can: can.log_likelihood and can.draw_log_likelihood)
def draws_and_scores_agree(subject: Subject) -> None:
    """What was drawn is as probable as the same answer given, but for the end token.

    Answers that are written in other tokens than they were drawn in are passed over.
    """
    exact = subject.backend.capabilities.repeatable
    for number, clip in enumerate(subject.clips):
        (drawn,) = subject.draw(subject.orders(GREEDY, clips=[clip], key=f"{number}")).values()
        ((score,),) = subject.score(asking(clip), answers=(drawn.text,))
        if drawn.log_likelihood is None or drawn.tokens not in (score.tokens, score.tokens + 1):
            continue
        ended = drawn.tokens == score.tokens + 1
        value, given = drawn.log_likelihood, score.log_likelihood
        agree = _near(value, given, exact=exact) or (ended and value < given)
        require(
            agree,
            f"{drawn.text!r} was drawn with a log-likelihood of {value:.4f}, but as a given answer "
            f"it has {given:.4f}.",
        )
        if ended and exact:
            require(score.greedy, f"{drawn.text!r} is the greedy answer, but its score denies it.")


@check(lambda can: not can.log_likelihood)
def scoring_is_refused(subject: Subject) -> None:
    """What is not claimed ends in a sentence, at the call."""
    orders = [ScoreOrder(asking(subject.clips[0]), LABELS)]
    said = subject.refusal(lambda: subject.backend.log_likelihoods(orders))
    require(said is not None, "Given answers were scored, although log_likelihood is not claimed.")
    require(is_sentence(said), f"The refusal is not one sentence: {said!r}.")
