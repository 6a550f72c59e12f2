"""What was published."""

from ambi_tasks.corpora.corpus import all_corpora
from ambi_tasks.report.published import published
from ambi_tasks.report.tables import MATRIX_METRICS
from ambi_tasks.strategies import all_strategies


def test_everything_in_it_is_known():
    found = published()
    assert set(found.scores) <= set(all_corpora())
    for by_strategy in found.scores.values():
        assert set(by_strategy) <= set(all_strategies())
        for values in by_strategy.values():
            assert set(values) <= set(MATRIX_METRICS)
            assert all(0 < value < 1 for value in values.values())
    assert "2602.03873" in found.source


def test_the_gain_of_weighted_best_of_n_on_crema_d():
    """36.70 % to 53.24 %, as the paper's summaries say."""
    accuracies = published().scores["crema_d"]
    assert (accuracies["direct"]["acc"], accuracies["wbon"]["acc"]) == (0.367, 0.5324)
