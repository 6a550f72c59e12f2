"""All numbers of the board's pages, before any of them is shown.

Entries compare only where corpus and truth agree (`Entry.comparable`); what compares is ranked and
paired, and nothing is averaged across what does not. Where votes are at hand, intervals, ranks and
gains are computed here and now, whatever a submission says of them; elsewhere a submission's own
numbers are shown as its word, without ranks and gains, which need votes.
"""

import datetime
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final, TypeAlias

import numpy as np

from ambi_tasks.leaderboard.baselines import ceiling_scores
from ambi_tasks.leaderboard.entry import Entry
from ambi_tasks.leaderboard.scores import SEED, STRATA, score_records
from ambi_tasks.leaderboard.submission import (
    CorpusRecord,
    ModelSubmission,
    Reference,
    ReferenceSubmission,
    ScoreRecord,
    Stratum,
)
from ambi_tasks.leaderboard.truth import Truth, board_corpora, rule_name, run_metadata
from ambi_tasks.metrics import all_metrics, get_metric
from ambi_tasks.metrics.validation import Floats
from ambi_tasks.statistics import (
    Difference,
    Rank,
    Run,
    Score,
    holm,
    intervals,
    rank_runs,
    resample,
    score_run,
    skill_share,
    t_p_values,
)
from ambi_tasks.statistics.bootstrap import RESAMPLES

PRIMARY: Final = "js"
"""What entries are ordered, ranked and paired by."""

STRATUM_METRICS = ("js", "bc", "acc")
"""By which the strata of ambiguity are scored."""

BASELINE: Final = "direct"
"""The strategy that a gain is over: one greedy answer."""

FLOOR: Final = "label_prior"
CEILING: Final = "split_half"
"""Between which skill is measured; see docs/statistics.md."""

Scores: TypeAlias = Mapping[str, Score]
Step: TypeAlias = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Gain:
    """What a strategy adds to the same model's greedy answer.

    Attributes:
        baseline: Key of the entry that it is over.
        better: The difference by `PRIMARY`, paired over the same resampled speakers, signed so
            that more is better; p corrected by Holm over all gains of the standings.
    """

    baseline: str
    better: Difference


@dataclass(frozen=True, slots=True)
class Standing:
    """An entry among those that it compares with.

    Attributes:
        entry: What was submitted.
        scores: Metric -> score.
        strata: Stratum of ambiguity -> metric -> score, of `STRATUM_METRICS`.
        skill: Metric -> share of the way from floor to ceiling, where both are on the board.
        apart: Why it takes no part in ranks and fronts; empty where it does.
        rank: By `PRIMARY`; None for references, for those apart, and where no votes are at hand.
        gain: None for references, for `BASELINE` itself, and without votes or a baseline.
    """

    entry: Entry
    scores: Scores
    strata: Mapping[Stratum, Scores]
    skill: Mapping[str, float]
    apart: str = ""
    rank: Rank | None = None
    gain: Gain | None = None

    @property
    def model(self) -> ModelSubmission:
        """What was submitted, of an entry that is no reference."""
        assert isinstance(self.entry.submission, ModelSubmission)
        return self.entry.submission


@dataclass(frozen=True, slots=True)
class Errors:
    """How scores on the same utterances err together.

    Attributes:
        place: Key of an entry -> its row and column; those with votes that take part in ranks.
        covariance: (M, M), of `PRIMARY` over resampled speakers; `Score.se` squared is on the
            diagonal.
        effective: E, how many speakers there effectively are.
    """

    place: Mapping[str, int]
    covariance: Floats
    effective: float

    def paired(self, keys: Sequence[str]) -> Floats:
        """Variances of the differences between entries, (K, K).

        Args:
            keys: (K,), of `place`.
        """
        rows = [self.place[key] for key in keys]
        chosen = self.covariance[np.ix_(rows, rows)]
        own = chosen.diagonal()
        return np.maximum(own[:, None] + own[None, :] - 2 * chosen, 0.0)


@dataclass(frozen=True, slots=True)
class Standings:
    """All entries that compare.

    Attributes:
        corpus: What they are on; the same for all, but for the release.
        rule: Name of the label rule.
        models: Best first by `PRIMARY`.
        references: Floors and ceiling, as far as they are on the board.
        stratum_sizes: Stratum -> its utterances, where votes are at hand.
        speakers: How many there are, likewise.
        errors: Of the scores together, likewise.
    """

    corpus: CorpusRecord
    rule: str
    models: tuple[Standing, ...]
    references: Mapping[Reference, Standing]
    stratum_sizes: Mapping[Stratum, int]
    speakers: int | None
    errors: Errors | None

    @property
    def is_default(self) -> bool:
        """Whether options and label rule are the corpus's default ones."""
        return not run_metadata(self.corpus)

    @property
    def everybody(self) -> list[Standing]:
        """Models, then references."""
        return [*self.models, *self.references.values()]


def standings(
    entries: Iterable[Entry],
    day: datetime.date,
    *,
    resamples: int = RESAMPLES,
    step: Step = lambda: None,
) -> list[Standings]:
    """Score, rank and pair entries.

    Args:
        entries: Of a board.
        day: Of the ranks: some entries expire.
        resamples: Of the speakers.
        step: Is called once for each entry.

    Returns:
        Those of a corpus together, the default options and label rule first.
    """
    groups: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.comparable, []).append(entry)
    order = list(board_corpora())
    found = [_standings(group, day, resamples, step) for group in groups.values()]
    return sorted(
        found,
        key=lambda one: (
            order.index(one.corpus.name),
            not one.is_default,
            -len(one.models),
            one.rule,
            one.corpus.manifest_sha256,
        ),
    )


def _standings(group: Sequence[Entry], day: datetime.date, resamples: int, step: Step) -> Standings:
    known = next((entry for entry in group if entry.truth is not None), group[0])
    corpus, truth = known.submission.corpus, known.truth
    scored = []
    for entry in group:
        run = entry.run
        scored.append(
            Standing(
                entry, _scores(entry, run, resamples), _strata(entry, run, truth, resamples), {}
            )
        )
        step()
    references = {
        submission.reference: one
        for one in scored
        if isinstance(submission := one.entry.submission, ReferenceSubmission)
    }
    placed = [
        replace(one, skill=_skill(one.scores, references), apart=_apart(one.entry, day))
        for one in scored
    ]
    models = [one for one in placed if not one.entry.is_reference]
    ranks, gains = _ranks(models, resamples), _gains(models, resamples)
    models = [
        replace(one, rank=ranks.get(one.entry.key), gain=gains.get(one.entry.key)) for one in models
    ]
    by_key = {one.entry.key: one for one in placed}
    return Standings(
        corpus=corpus,
        rule=rule_name(corpus),
        models=tuple(sorted(models, key=_order)),
        references={
            name: by_key[references[name].entry.key]
            for name in ("uniform", FLOOR, CEILING)
            if name in references
        },
        stratum_sizes={} if truth is None else _sizes(truth),
        speakers=None if truth is None else len(np.unique(truth.speakers)),
        errors=_errors(models, resamples),
    )


def _apart(entry: Entry, day: datetime.date) -> str:
    submission = entry.submission
    if not isinstance(submission, ModelSubmission) or entry.ranks(day):
        return ""
    if submission.model.control:
        return "control that cannot hear the voice"
    if submission.training.saw_corpus == "labels":
        return "trained on the corpus's labels"
    if submission.evaluated > day:
        return f"dated {submission.evaluated}, a day to come"
    return f"expired on {entry.expires}"


def _order(one: Standing) -> tuple[bool, float, str]:
    value = value_of(one.scores, PRIMARY)
    sign = -1 if get_metric(PRIMARY).higher_is_better else 1
    return math.isnan(value), sign * value, one.entry.key


def value_of(scores: Scores, metric: str) -> float:
    """A metric's value; NaN where there is none.

    Args:
        scores: Metric -> score.
        metric: Which.
    """
    return scores[metric].value if metric in scores else math.nan


# --- scores --------------------------------------------------------------------------------------


def _scores(entry: Entry, run: Run | None, resamples: int) -> dict[str, Score]:
    """Computed here where votes are at hand, else as submitted."""
    submission = entry.submission
    if run is not None:
        if len(np.unique(run.speakers)) > 1:
            return score_run(run, seed=SEED, resamples=resamples)
        return _read(score_records(run))
    if (
        isinstance(submission, ReferenceSubmission)
        and entry.truth is not None
        and entry.status == "recomputed"
    ):
        return dict(
            ceiling_scores(
                submission.corpus,
                entry.truth,
                seed=submission.seeds.get("references", 0),
                repetitions=submission.repetitions or 1,
            )
        )
    return _read(submission.scores)


def _strata(
    entry: Entry, run: Run | None, truth: Truth | None, resamples: int
) -> dict[Stratum, Scores]:
    if run is None or truth is None:
        return {
            stratum: {name: one for name, one in _read(scores).items() if name in STRATUM_METRICS}
            for stratum, scores in entry.submission.strata.items()
        }
    chosen = {name: all_metrics()[name] for name in STRATUM_METRICS}
    found: dict[Stratum, Scores] = {}
    for stratum in STRATA:
        part = run.only(truth.strata == stratum)
        if len(np.unique(part.speakers)) > 1:
            found[stratum] = score_run(part, seed=SEED, metrics=chosen, resamples=resamples)
        elif len(part.ids):
            alone = _read(score_records(part))
            found[stratum] = {name: alone[name] for name in STRATUM_METRICS}
    return found


def _read(records: Mapping[str, ScoreRecord]) -> dict[str, Score]:
    return {name: record.score() for name, record in records.items()}


def _sizes(truth: Truth) -> dict[Stratum, int]:
    return {stratum: int((truth.strata == stratum).sum()) for stratum in STRATA}


def _skill(scores: Scores, references: Mapping[Reference, Standing]) -> dict[str, float]:
    if FLOOR not in references or CEILING not in references:
        return {}
    floor, ceiling = references[FLOOR].scores, references[CEILING].scores
    found = {}
    for name, score in scores.items():
        if name in floor and name in ceiling:
            share = skill_share(
                score.value,
                floor[name].value,
                ceiling[name].value,
                higher_is_better=get_metric(name).higher_is_better,
            )
            if share is not None:
                found[name] = share
    return found


# --- between entries -----------------------------------------------------------------------------


def _runs(models: Sequence[Standing]) -> dict[str, Run]:
    """Key -> run, where votes of two or more speakers are at hand."""
    runs = {one.entry.key: run for one in models if (run := one.entry.run) is not None}
    return {key: run for key, run in runs.items() if len(np.unique(run.speakers)) > 1}


def _ranks(models: Sequence[Standing], resamples: int) -> dict[str, Rank]:
    runs = list(_runs([one for one in models if not one.apart]).values())
    if not runs:
        return {}
    chosen = {PRIMARY: all_metrics()[PRIMARY]}
    found = rank_runs(runs, seed=SEED, metrics=chosen, resamples=resamples, test="t")
    return {rank.name: rank for rank in found.ranks[PRIMARY]}


def _errors(models: Sequence[Standing], resamples: int) -> Errors | None:
    runs = _runs([one for one in models if not one.apart])
    if not runs:
        return None
    metric = all_metrics()[PRIMARY]
    sums = [sums for run in runs.values() for sums in run.sums([metric])]
    drawn = resample(sums, rng=np.random.default_rng(SEED), resamples=resamples)
    covariance = np.atleast_2d(np.cov(drawn.resampled, rowvar=False))
    widened = covariance * drawn.effective / (drawn.effective - 1)
    return Errors({key: n for n, key in enumerate(runs)}, widened, drawn.effective)


def _gains(models: Sequence[Standing], resamples: int) -> dict[str, Gain]:
    runs = _runs(models)
    known = [one for one in models if one.entry.key in runs]
    found: dict[str, Gain] = {}
    for one in known:
        baseline = _baseline(one, known)
        if baseline is not None:
            better = _better(runs[one.entry.key], runs[baseline.entry.key], resamples)
            found[one.entry.key] = Gain(baseline.entry.key, better)
    corrected = holm([gain.better.p for gain in found.values()])
    return {
        key: replace(gain, better=replace(gain.better, adjusted=float(adjusted)))
        for (key, gain), adjusted in zip(found.items(), corrected, strict=True)
    }


def _better(run: Run, baseline: Run, resamples: int) -> Difference:
    """How much better a run is, resample by resample."""
    metric = all_metrics()[PRIMARY]
    pair = [run, baseline] if metric.higher_is_better else [baseline, run]
    sums = [sums for one in pair for sums in one.sums([metric])]
    drawn = resample(sums, rng=np.random.default_rng(SEED), resamples=resamples)
    difference = drawn.columns(0, 1).minus(drawn.columns(1, 2))
    p = t_p_values(difference)[PRIMARY]
    return Difference(**asdict(intervals(difference)[PRIMARY]), p=p, adjusted=p)


def _baseline(one: Standing, models: Sequence[Standing]) -> Standing | None:
    """The same model's greedy answer: of the same variant, or else of none."""
    if one.model.strategy.name == BASELINE:
        return None
    same = {
        other.model.variant: other
        for other in models
        if other.model.strategy.name == BASELINE and maker_of(other) == maker_of(one)
    }
    return same.get(one.model.variant) or same.get(None)


def maker_of(one: Standing) -> str:
    """`<org>__<model>`: what tells models apart.

    Args:
        one: Of an entry that is no reference.
    """
    return one.entry.key.partition("/")[0]
