"""Measure the demo model as a verifier of its own answers."""

from typing import NamedTuple

import numpy as np

from ambi_tasks.demo.listener import Listener, ratings, yes_probabilities
from ambi_tasks.demo.measurement import HeardClips, Row, divergences_of, score
from ambi_tasks.demo.speech import Floats

CANDIDATES = 3
"""Drawn answers among which the verifier chooses."""


class Draws(NamedTuple):
    """Drawn answers to the direct prompt.

    Attributes:
        texts: The answers, (N, D).
        read: What they say, (N, D, K).
        parsed: Share of them that could be read.
    """

    texts: list[list[str]]
    read: Floats
    parsed: float

    def groups(self) -> Floats:
        """What the draws say, in groups of candidates, (N, G, CANDIDATES, K)."""
        return _grouped(self.read)


def _grouped(values: Floats) -> Floats:
    """Split draws, (N, D, ...), into groups, (N, G, CANDIDATES, ...); some may be left over."""
    groups = values.shape[1] // CANDIDATES
    split: Floats = values[:, : groups * CANDIDATES]
    return split.reshape(len(values), groups, CANDIDATES, *values.shape[2:])


def verifier_results(
    listener: Listener, clips: HeardClips, draws: Draws
) -> tuple[list[Row], dict[str, str]]:
    """Measure the choice among drawn answers, and how far scores follow quality.

    Args:
        listener: The model.
        clips: The clips.
        draws: Its answers about them.

    Returns:
        Rows of the table, and other numbers by name.
    """
    truth, candidates = clips.vote_shares, draws.groups()
    rows = [score(f"mean of {CANDIDATES} draws", truth, candidates.mean(axis=2))]
    facts = {}
    own, parsed = _scores(listener, clips, draws.texts)
    others, _ = _scores(listener, clips, [*draws.texts[1:], draws.texts[0]])
    quality = -divergences_of(truth, draws.read)
    others_quality = -divergences_of(truth, np.roll(draws.read, -1, axis=0))
    for name, scores in own.items():
        asked = parsed if name == "rating" else None
        weights = _grouped(scores)
        best = (weights == weights.max(axis=2, keepdims=True)).astype(np.float64)
        picked, weighted = weighted_means(candidates, best), weighted_means(candidates, weights)
        rows.append(score(f"best of {CANDIDATES} draws by {name}", truth, picked, asked))
        rows.append(score(f"mean of {CANDIDATES} draws weighted by {name}", truth, weighted, asked))
        correlations = {
            "draws of all clips": rank_correlation(
                np.concatenate([scores, others[name]]).ravel(),
                np.concatenate([quality, others_quality]).ravel(),
            ),
            "own draws": rank_correlation(scores.ravel(), quality.ravel()),
            "within a clip's own draws": _mean_correlation(scores, quality),
        }
        for of, value in correlations.items():
            facts[f"{name} and quality, rank correlation, {of}"] = f"{value:.2f}"
    known = _grouped(quality)
    ideal = (known == known.max(axis=2, keepdims=True)).astype(np.float64)
    ideally = weighted_means(candidates, ideal)
    rows.append(score(f"best of {CANDIDATES} draws, knowing the votes", truth, ideally))
    return rows, facts


def _scores(
    listener: Listener, clips: HeardClips, texts: list[list[str]]
) -> tuple[dict[str, Floats], float]:
    """What the verifier says of responses, (N, D), and the share of the ratings that it could."""
    draws = len(texts[0])
    responses = [text for one in texts for text in one]
    waveforms = [waveform for waveform in clips.waveforms for _ in range(draws)]
    rated, parsed = ratings(listener, waveforms, responses)
    called = yes_probabilities(listener, waveforms, responses)
    shape = (len(texts), draws)
    return {"rating": rated.reshape(shape), "P(yes)": called.reshape(shape)}, parsed


def weighted_means(candidates: Floats, weights: Floats) -> Floats:
    """Means of candidates by their weights; plain ones where all weights are 0.

    Args:
        candidates: (N, G, C, K).
        weights: (N, G, C).

    Returns:
        (N, G, K).
    """
    filled = weights + (weights.sum(axis=2, keepdims=True) == 0)
    means: Floats = np.einsum("ngc,ngck->ngk", filled, candidates)
    means /= filled.sum(axis=2, keepdims=True)
    return means


def rank_correlation(first: Floats, second: Floats) -> float:
    """Spearman's rank correlation of two series, (N,), NaN where one of them is constant.

    Equal values share their mean rank.
    """
    if min(np.ptp(first), np.ptp(second)) == 0:
        return float("nan")
    return float(np.corrcoef(_mean_ranks(first), _mean_ranks(second))[0, 1])


def _mean_ranks(values: Floats) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks


def _mean_correlation(scores: Floats, quality: Floats) -> float:
    """The mean rank correlation of the rows, (N, D), in which neither is constant."""
    rows = [rank_correlation(*row) for row in zip(scores, quality, strict=True)]
    varied = [value for value in rows if not np.isnan(value)]
    return float(np.mean(varied)) if varied else float("nan")
