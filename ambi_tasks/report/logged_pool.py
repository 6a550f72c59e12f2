"""The draws of a log as arrays, for a curve, without reading every answer again.

`curve.read_pool` reads the texts of all answers, a millisecond per utterance; this takes what the
run itself read and logged (`candidates`), in microseconds.
"""

import math

import msgspec
import numpy as np

from ambi_tasks.errors import UserError
from ambi_tasks.metrics.validation import Floats
from ambi_tasks.report.curve import Pool
from ambi_tasks.report.logged_run import LoggedRun
from ambi_tasks.strategies import StrategyFields, get_strategy
from ambi_tasks.strategies.evidence import Evidence


class _Draw(msgspec.Struct, gc=False):
    tokens: int | None = None
    log_likelihood: float | None = None


class _Candidate(msgspec.Struct, gc=False):
    distribution: tuple[float, ...] | None
    score: float | None = None


class _Document(msgspec.Struct, gc=False):
    id: str
    draws: list[_Draw]
    candidates: list[_Candidate]


class _Line(msgspec.Struct, gc=False):
    doc: _Document


def settings_of(run: LoggedRun) -> StrategyFields:
    """What was set of the run's strategy.

    Raises:
        UserError: The strategy is unknown, or a field is wrong.
    """
    values = dict(run.strategy)
    found: StrategyFields = get_strategy(values.pop("name")).settings(values)
    return found


def read_logged_pool(run: LoggedRun) -> Pool:
    """Read the draws of a run.

    Args:
        run: Of a strategy that has a curve; see `curve.why_no_curve`.

    Raises:
        UserError: The log has changed since it was read, its utterances differ in the number of
            draws, or the strategy cannot weigh them.
    """
    decoder = msgspec.json.Decoder(_Line)
    try:
        docs = [decoder.decode(line).doc for line in run.log.path.read_bytes().splitlines()]
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(f"{run.log.path}: the draws cannot be read ({error}).") from error
    docs.sort(key=lambda doc: doc.id)
    if [doc.id for doc in docs] != run.run.ids.tolist():
        raise UserError(f"{run.log.path}: the file has changed since it was read.")
    counts = {(len(doc.draws), len(doc.candidates)) for doc in docs}
    draws = len(docs[0].draws)
    if counts != {(draws, draws)}:
        raise UserError(f"{run.log.path}: its utterances differ in the number of draws.")
    settings = settings_of(run)
    pool = Pool(
        strategy=get_strategy(run.strategy["name"]),
        settings=settings,
        labels=run.run.rule.classes,
        truth=run.truth,
        contributions=_contributions(docs, settings, len(run.run.rule.classes)),
        evidence=_evidence(docs),
        tokens=_tokens(run, draws),
    )
    try:
        pool.strategy.weights(pool.evidence, settings)
    except UserError as error:
        raise UserError(f"{run.log.path}: {error}") from error
    return pool


def _contributions(docs: list[_Document], settings: StrategyFields, classes: int) -> Floats:
    nothing = (0.0,) * classes
    return np.array(
        [
            [
                nothing if one.distribution is None else settings.contribution(one.distribution)
                for one in doc.candidates
            ]
            for doc in docs
        ]
    )


def _evidence(docs: list[_Document]) -> Evidence:
    def column(values: list[list[float | None]]) -> Floats:
        return np.array(values, dtype=np.float64)  # None becomes NaN

    likelihoods = column([[draw.log_likelihood for draw in doc.draws] for doc in docs])
    return Evidence(
        readable=np.array([[one.distribution is not None for one in d.candidates] for d in docs]),
        log_likelihoods=likelihoods,
        has_log_likelihood=~np.isnan(likelihoods),  # JSON has no NaN, so NaN is none
        tokens=column([[draw.tokens for draw in doc.draws] for doc in docs]),
        scores=column([[one.score for one in doc.candidates] for doc in docs]),
    )


def _tokens(run: LoggedRun, draws: int) -> Floats | None:
    """Tokens of an utterance, in equal parts: a curve uses their sum alone."""
    tokens = run.utterances.tokens
    if any(map(math.isnan, tokens.tolist())):
        return None
    return np.repeat(tokens[:, None] / draws, draws, axis=1)
