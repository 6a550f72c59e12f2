"""What people reach: how well annotators predict each other, by every metric of distributions.

Two references, which answer different questions:

* `split_half`, the human ceiling of our tables: how well do some of an utterance's annotators
  predict the others? It is *uncorrected*. Half the votes are noisier than all of them, on both
  sides of the comparison, so it underestimates what a full panel would reach. It is conservative,
  and it is not a bound: a prediction need not be as coarse as a handful of votes, so a model that
  knew the true distribution of opinion would score better.
* `fresh_panel`, an optimistic reference: how near would as many new annotators come, if the votes
  we have were the truth? The truth has no noise here, and opinions that nobody happened to voice do
  not exist, so the scatter of the votes is underestimated.

Where votes are independent draws from a true distribution, expected scores come in this order, from
worst to best: `split_half`, one full panel predicting another, the true distribution predicting a
panel, `fresh_panel`. It is no theorem for every metric; the tests show it on simulated votes. For
the Brier score, with one tick per annotator, all four are known: with g = 1 - sum_k p_k^2 of the
votes and halves of a and b annotators, the first is g n^2 / (a b (n - 1)), about 4 g / n, and the
last g / n; 2 g / (n - 1) and g / (n - 1) are unbiased estimates of the two between.

It is not so by three metrics, which punish what a handful of votes cannot but do: the most voted
class is voted too often by chance (`ece`), votes look less ambiguous than the opinion behind them
(`ent_mae`), and opinions that nobody voiced have probability 0 (`kl`). Neither reference is much of
a ceiling for these.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ambi_tasks.metrics import Metric, all_metrics
from ambi_tasks.metrics.validation import Floats
from ambi_tasks.statistics.votes import VoteTable


def scored_metrics(labels: Sequence[str]) -> list[Metric]:
    """The metrics that compare distributions over these classes, in alphabetical order.

    Args:
        labels: Names of the classes; some metrics know only some names.

    >>> [metric.name for metric in scored_metrics(["x", "y"])][:3]
    ['acc', 'bc', 'brier']
    """
    return [
        metric
        for metric in all_metrics().values()
        if metric.needs == "distributions" and metric.misfit(labels) is None
    ]


def statistics(
    truth: Floats,
    prediction: Floats,
    labels: Sequence[str],
    metrics: Sequence[Metric] | None = None,
) -> dict[str, Floats]:
    """The additive statistics of metrics, (N, S) each.

    Args:
        truth: (N, K).
        prediction: (N, K).
        labels: Names of the K classes.
        metrics: Of distributions, with their options; `scored_metrics` by default.
    """
    return {
        metric.name: metric.sufficient(truth, prediction, labels=labels)
        for metric in (scored_metrics(labels) if metrics is None else metrics)
    }


def split_half(
    table: VoteTable,
    labels: Sequence[str],
    *,
    rng: np.random.Generator,
    repetitions: int = 200,
    metrics: Sequence[Metric] | None = None,
) -> dict[str, Floats]:
    """How well a random half of each utterance's annotators predicts the other half.

    For n annotators, one half is floor(n / 2) of them, drawn without replacement and all choices
    equally likely, the other half is the rest: for odd n it is larger by one. The label rule makes
    a distribution of each, a and b, and the value is the mean over `repetitions` draws of
    (metric(a, b) + metric(b, a)) / 2. Both directions, because some metrics are not symmetric, and
    because neither the larger nor the smaller half is the natural truth. Range and direction are
    those of the metric.

    The mean is taken of the additive statistics: a metric of the corpus, such as F1, is that of all
    draws in both directions pooled; `ent_corr` is their mean.

    Uncorrected, hence conservative: see the module.

    Args:
        table: The votes.
        labels: Names of the classes.
        rng: Where the halves come from.
        repetitions: How many times each utterance is split, at least 1.
        metrics: As for `statistics`.

    Returns:
        Metric -> (N, S), the mean of its statistics for each utterance.

    Raises:
        ValueError: There are no utterances, or no repetitions.

    Source:
        Split-half reliability: W. Brown, "Some experimental results in the correlation of mental
        abilities", British Journal of Psychology 3, 1910, and C. Spearman, "Correlation calculated
        from faulty data", in the same volume. Their correction to full length is for correlations
        of sums over many items; for these metrics there is none in general, so none is applied.
    """
    _check_repetitions(repetitions)

    def pairs() -> Iterator[tuple[Floats, Floats]]:
        for _ in range(repetitions):
            one, other = _halves(table.masses, table.annotators, rng)
            yield one, other
            yield other, one

    return _mean_statistics(pairs(), labels, metrics)


def fresh_panel(
    table: VoteTable,
    labels: Sequence[str],
    *,
    rng: np.random.Generator,
    repetitions: int = 200,
    metrics: Sequence[Metric] | None = None,
) -> dict[str, Floats]:
    """How near a new panel of the same size comes, if the votes we have are the truth.

    With p the soft label of an utterance and n its annotators: the mean over `repetitions` draws of
    metric(p, x / n), where x ~ multinomial(n, p). Each member of the panel ticks one class,
    whatever the corpus allowed its annotators. Range and direction are those of the metric, and
    metrics of the corpus are of all draws pooled, as in `split_half`.

    Optimistic: see the module. Where the votes are unanimous, so is every panel.

    Args:
        table: The votes.
        labels: Names of the classes.
        rng: Where the panels come from.
        repetitions: How many panels each utterance gets, at least 1.
        metrics: As for `statistics`.

    Returns:
        Metric -> (N, S), the mean of its statistics for each utterance.

    Raises:
        ValueError: There are no utterances, or no repetitions.

    Source:
        The parametric bootstrap: B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap",
        Chapman & Hall, 1993.
    """
    _check_repetitions(repetitions)
    truth, sizes = table.distributions, table.annotators
    panels = (rng.multinomial(sizes, truth) / sizes[:, None] for _ in range(repetitions))
    return _mean_statistics(((truth, panel) for panel in panels), labels, metrics)


def _mean_statistics(
    pairs: Iterable[tuple[Floats, Floats]],
    labels: Sequence[str],
    metrics: Sequence[Metric] | None,
) -> dict[str, Floats]:
    total: dict[str, Floats] = {}
    count = 0
    for truth, prediction in pairs:
        count += 1
        for name, found in statistics(truth, prediction, labels, metrics).items():
            total[name] = total[name] + found if name in total else found
    return {name: found / count for name, found in total.items()}


def _halves(
    masses: Floats, annotators: NDArray[np.intp], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """The distributions of a random half of the annotators and of the rest, (N, K) each."""
    seats = np.arange(masses.shape[1])
    lots = rng.random(masses.shape[:2])
    lots[seats >= annotators[:, None]] = 2.0  # empty seats draw the last places
    # Sorting lots gives a random order, and a random order is as good as the places it stands for.
    chosen = lots.argsort(axis=1) < annotators[:, None] // 2
    # The rest is added up anew, not subtracted from all: differences of thirds can be negative.
    return _distribution(masses, chosen), _distribution(masses, ~chosen)


def _distribution(masses: Floats, chosen: NDArray[np.bool_]) -> Floats:
    summed = (chosen[:, None, :].astype(np.float64) @ masses)[:, 0, :]
    shares: Floats = summed / summed.sum(axis=1, keepdims=True)
    return shares


def _check_repetitions(repetitions: int) -> None:
    if repetitions < 1:
        raise ValueError(f"repetitions is {repetitions}, but must be at least 1.")
