"""Clips to measure on, and the table of what was measured."""

from dataclasses import dataclass

import numpy as np

from ambi_tasks.audio import Waveform
from ambi_tasks.demo.speech import Floats
from ambi_tasks.metrics.js import jensen_shannon


@dataclass(frozen=True, slots=True)
class HeardClips:
    """Clips with the truth about them.

    Attributes:
        waveforms: Samples at 16 kHz, N of (S,).
        vote_shares: Shares of the votes over `EMOTIONS`, (N, K).
        rule: What the emotion rule says, (N, K).
    """

    waveforms: list[Waveform]
    vote_shares: Floats
    rule: Floats


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Attributes:
        name: What was scored.
        divergence: Mean Jensen-Shannon divergence, base 2.
        interval: 95 % interval of the mean over clips, by the bootstrap.
        parsed: Share of the answers that could be read, None where nothing was asked.
    """

    name: str
    divergence: float
    interval: tuple[float, float]
    parsed: float | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured of a model.

    Attributes:
        rows: Scores against votes.
        facts: Other numbers, by name.
    """

    rows: list[Row]
    facts: dict[str, str]

    def divergence(self, name: str) -> float:
        """The score of a row by its name."""
        return next(row.divergence for row in self.rows if row.name == name)

    def table(self) -> str:
        """Both as Markdown."""
        lines = ["| scored against the votes | JS | 95 % interval | parsed |", "|---|--:|--:|--:|"]
        for row in self.rows:
            parsed = "" if row.parsed is None else f"{row.parsed:.1%}"
            low, high = row.interval
            lines.append(f"| {row.name} | {row.divergence:.3f} | {low:.3f}-{high:.3f} | {parsed} |")
        lines += ["", "| other | |", "|---|--:|"]
        lines += [f"| {name} | {value} |" for name, value in self.facts.items()]
        return "\n".join(lines)


def score(name: str, truth: Floats, predictions: Floats, parsed: float | None = None) -> Row:
    """Score predictions against the truth.

    Args:
        name: Name of the row.
        truth: (N, K).
        predictions: (N, K), or (N, R, K) for several of equal standing, whose scores are averaged.
        parsed: See `Row`.
    """
    several = predictions[:, None] if predictions.ndim == truth.ndim else predictions
    divergences = divergences_of(truth, several).mean(axis=1)
    generator = np.random.default_rng(0)
    resampled = generator.choice(divergences, (2000, len(divergences))).mean(axis=1)
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Row(name, float(divergences.mean()), (float(low), float(high)), parsed)


def divergences_of(truth: Floats, predictions: Floats) -> Floats:
    """Jensen-Shannon divergences, base 2, of predictions, (N, R, K), from the truth, (N, K)."""
    repeated = np.broadcast_to(truth[:, None], predictions.shape)
    classes = truth.shape[1]
    flat = jensen_shannon(repeated.reshape(-1, classes), predictions.reshape(-1, classes))
    divergences: Floats = flat.reshape(predictions.shape[:2])
    return divergences
