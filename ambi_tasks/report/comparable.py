"""Which runs may stand in one table.

Scores compare only where corpus, label rule, utterances, votes, speakers and the options of the
metrics agree. Runs that differ are refused, or set apart with a sentence that says what differs;
they are never averaged, ranked or drawn together.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ambi_tasks.errors import UserError
from ambi_tasks.metrics import Metric
from ambi_tasks.report.logged_run import LoggedRun
from ambi_tasks.statistics import align_runs


@dataclass(slots=True)
class Group:
    """Runs that compare.

    Attributes:
        runs: One or more; any two compare.
        apart: Why they do not compare with another group of the same corpus, a sentence each.
    """

    runs: list[LoggedRun]
    apart: list[str] = field(default_factory=list)

    @property
    def corpus(self) -> str:
        """Its name, which is that of all runs."""
        return self.runs[0].corpus.name

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """With the options that are those of all its runs."""
        return self.runs[0].metrics


def check_comparable(
    runs: Sequence[LoggedRun], *, metrics: Collection[str] | None = None, common: bool = False
) -> None:
    """Refuse runs whose scores do not compare.

    Args:
        runs: Two or more, of different names.
        metrics: The names of those that matter; all by default.
        common: Whether other utterances are no reason, since only common ones are compared.

    Raises:
        UserError: The sentence says which two differ in what.
    """
    first = runs[0]
    for other in runs[1:]:
        if first.corpus.name != other.corpus.name:
            raise UserError(
                f"'{first.run.name}' is of the corpus {first.corpus.name}, '{other.run.name}' of "
                f"{other.corpus.name}, so their scores do not compare."
            )
        if differing := list(_differing_options(first, other, metrics)):
            raise UserError(
                f"'{first.run.name}' and '{other.run.name}' were scored with other options of the "
                f"metrics, so their scores do not compare: {'; '.join(differing)}."
            )
    align_runs([one.run for one in runs], common=common)


def comparable_groups(runs: Sequence[LoggedRun]) -> list[Group]:
    """Put every run with those that it compares with.

    Args:
        runs: Of different names.

    Returns:
        The groups, in the order of their first runs, those of a corpus together.
    """
    groups: list[Group] = []
    for run in runs:
        reasons = [(group, _why_not(group.runs[0], run)) for group in groups]
        fitting = [group for group, reason in reasons if reason is None]
        if fitting:
            fitting[0].runs.append(run)
            continue
        name = run.corpus.name
        apart = [reason for group, reason in reasons if reason and group.corpus == name]
        groups.append(Group([run], apart))
    corpora = list(dict.fromkeys(run.corpus.name for run in runs))
    return sorted(groups, key=lambda group: corpora.index(group.corpus))


def _why_not(one: LoggedRun, other: LoggedRun) -> str | None:
    """The sentence about two runs that do not compare; None where they do."""
    try:
        check_comparable([one, other])
    except UserError as error:
        return str(error)
    return None


def _differing_options(
    one: LoggedRun, other: LoggedRun, names: Collection[str] | None
) -> Iterator[str]:
    for name, metric in one.metrics.items():
        if names is not None and name not in names:
            continue
        theirs = other.metrics[name].options
        for option, value in metric.options.items():
            if theirs[option] != value:
                yield f"{name}: {option} is {value!r} in the one, {theirs[option]!r} in the other"
