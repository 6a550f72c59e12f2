"""From what was recorded of an utterance to its scores: pure, so that a log can be scored again.

The record is the document of the harness's sample log. It holds the truth (`labels`,
`soft_label`), the `strategy` with all that is set of it, and the evidence: `draws`, the verifier's
`verdicts` on them, or the `read_out` of the labels' probabilities.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ambi_tasks.corpus_scores import Pair
from ambi_tasks.errors import UserError
from ambi_tasks.metrics import Metric
from ambi_tasks.prediction import Candidate, Prediction, ReadOut, read_draw, was_cut, was_withheld
from ambi_tasks.strategies import Strategy, StrategyFields, combine, get_strategy
from ambi_tasks.strategies.fields import VerifiedFields
from ambi_tasks.verdicts import RatingFailure, parse_rating

ANSWERED = "_answered"
"""Ends the names of scores over answered utterances alone."""

SPREAD = "spread"

NO_PROBABILITY = "no_probability"
"""A verdict's failure: neither yes nor no has a probability, so there is no share of yes."""

NOT_ASKED = "not_asked"
"""A verdict's failure: the verifier was not asked about a candidate that can be read (now)."""

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ScoredUtterance:
    """What came of one utterance.

    Attributes:
        candidates: The answers, read.
        prediction: What the strategy makes of them.
        scores: Metric name -> value, None where the metric says nothing about the utterance.
        pair: What the metrics of the corpus need of it.
    """

    candidates: tuple[Candidate, ...]
    prediction: Prediction
    scores: dict[str, float | None]
    pair: Pair

    def record(self) -> dict[str, Any]:
        """What the sample log says of candidates and prediction."""
        weighed = zip(self.candidates, self.prediction.weights, strict=True)
        return {
            "prediction": list(self.prediction.distribution),
            "answered": self.prediction.answered,
            "spread": self.prediction.spread,
            "candidates": [_candidate_record(one, weight) for one, weight in weighed],
        }


def score_utterance(record: Record, metrics: Mapping[str, Metric]) -> ScoredUtterance:
    """Read the evidence, let the strategy combine it, and score the prediction.

    Args:
        record: See above.
        metrics: What to compute; those of the corpus, and those that do not know the labels, are
            left out.

    Raises:
        UserError: The strategy is unknown, a field of it wrong, or its evidence is missing.
    """
    strategy, settings = strategy_of(record)
    candidates = read_candidates(record, settings)
    prediction = combine(strategy, settings, candidates, len(record["labels"]))
    scores = _scores(metrics, record, prediction, candidates)
    if metrics and isinstance(settings, VerifiedFields):
        scores |= _verifier_scores(metrics, candidates)
    pair = Pair(
        record["id"],
        record.get("speaker") or record["id"],
        record["labels"],
        record["soft_label"],
        prediction.distribution,
    )
    return ScoredUtterance(candidates, prediction, scores, pair)


def strategy_of(record: Record) -> tuple[Strategy[Any], StrategyFields]:
    """The strategy of a record, with what is set of it."""
    values = dict(record["strategy"])
    strategy = get_strategy(values.pop("name"))
    return strategy, strategy.settings(values)


def read_candidates(record: Record, settings: StrategyFields) -> tuple[Candidate, ...]:
    """Read the evidence of a record.

    Args:
        record: See above.
        settings: What is set of its strategy.

    Raises:
        UserError: The evidence is missing.
    """
    if settings.mode == "none":
        read_out = _evidence(record, "read_out")
        found = ReadOut(**{name: tuple(values) for name, values in read_out.items()})
        return (Candidate(settings.distribution_of(found)),)
    candidates = tuple(read_draw(draw, record["labels"]) for draw in _evidence(record, "draws"))
    if not isinstance(settings, VerifiedFields):
        return candidates
    verdicts = _evidence(record, "verdicts")
    if len(verdicts) != len(candidates):
        raise UserError(f"There are {len(verdicts)} verdicts on {len(candidates)} draws.")
    return tuple(
        _judged(one, verdict, settings) for one, verdict in zip(candidates, verdicts, strict=True)
    )


def _evidence(record: Record, name: str) -> Any:
    if name not in record:
        raise UserError(
            f"The record of utterance {record.get('id')!r} has no '{name}', which the strategy "
            f"'{record['strategy']['name']}' needs."
        )
    return record[name]


def _judged(candidate: Candidate, verdict: Record | None, settings: VerifiedFields) -> Candidate:
    """Put the verdict's score onto a candidate that could be read.

    A verdict is the verifier's `text`, or its `log_likelihoods` of yes and of no.
    """
    if candidate.distribution is None:
        return candidate
    if verdict is None:
        return dataclasses.replace(candidate, verdict_failure=NOT_ASKED)
    if settings.score == "probability":
        score = _share(*verdict["log_likelihoods"])
        failure = NO_PROBABILITY if score is None else None
    elif was_withheld(verdict):
        score, failure = None, RatingFailure.WITHHELD.value
    else:
        assert settings.scale is not None
        rating = parse_rating(verdict["text"], *settings.scale, cut=was_cut(verdict))
        score, failure = rating.score, rating.failure.value if rating.failure else None
    return dataclasses.replace(candidate, score=score, verdict_failure=failure)


def _share(yes: float, no: float) -> float | None:
    """exp(yes) / (exp(yes) + exp(no)), without overflow; None where both are 0, or one no number.

    Args:
        yes: Natural log of the probability of yes, finite or -inf.
        no: The same of no.
    """
    best = max(yes, no)
    if not (math.isfinite(best) and yes <= best and no <= best):  # NaN is not <= anything
        return None
    return math.exp(yes - best) / (math.exp(yes - best) + math.exp(no - best))


def _candidate_record(candidate: Candidate, weight: float) -> dict[str, Any]:
    record = dataclasses.asdict(candidate)
    known = {"log_likelihood", "tokens"}  # the draw has them
    return {name: value for name, value in record.items() if name not in known} | {"weight": weight}


def _scores(
    metrics: Mapping[str, Metric],
    record: Record,
    prediction: Prediction,
    candidates: Sequence[Candidate],
) -> dict[str, float | None]:
    truth, predicted = [record["soft_label"]], [list(prediction.distribution)]
    labels = record["labels"]
    read = sum(candidate.distribution is not None for candidate in candidates)
    scores: dict[str, float | None] = {}
    for metric in metrics.values():
        if metric.needs == "draws":
            scores[metric.name] = float(metric.function([read], [len(candidates)])[0])
        elif (
            metric.needs == "distributions"
            and metric.level == "utterance"
            and metric.misfit(labels) is None
        ):
            value = float(metric.compute(truth, predicted, labels=labels)[0])
            scores[metric.name] = value
            scores[metric.name + ANSWERED] = value if prediction.answered else None
    if metrics:
        scores[SPREAD] = prediction.spread
    return scores


def _verifier_scores(
    metrics: Mapping[str, Metric], candidates: Sequence[Candidate]
) -> dict[str, float | None]:
    asked = [one for one in candidates if one.distribution is not None]
    read = sum(one.score is not None for one in asked)
    return {
        metric.name: float(metric.function([read], [len(asked)])[0]) if asked else None
        for metric in metrics.values()
        if metric.needs == "verdicts"
    }
