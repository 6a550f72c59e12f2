import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import ambi_tasks
from ambi_tasks import metrics
from ambi_tasks.errors import UserError
from ambi_tasks.metrics import all_metrics, get_metric, metric, registry
from ambi_tasks.metrics.registry import choose_options

CHECKOUT = Path(ambi_tasks.__file__).parents[1]


def fresh_python(code: str) -> str:
    """What the code prints in an interpreter that has imported nothing yet."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


@pytest.fixture
def empty_registry(monkeypatch):
    monkeypatch.setattr(registry, "_METRICS", {})


def test_the_metrics_their_directions_and_bounds():
    known = {
        m.name: (m.higher_is_better, m.bounds, m.needs)
        for m in all_metrics().values()
        if m.level == "utterance"
    }

    assert (
        known.items()
        >= {
            "acc": (True, (0, 1), "distributions"),
            "bc": (True, (0, 1), "distributions"),
            "brier": (False, (0, 2), "distributions"),
            "js": (False, (0, 1), "distributions"),
            "parsed": (True, (0, 1), "draws"),
            "r2": (True, (0, 1), "distributions"),
        }.items()
    )
    assert list(all_metrics()) == sorted(all_metrics())


def test_the_metrics_of_a_corpus():
    found = {m.name: m.higher_is_better for m in all_metrics().values() if m.level == "corpus"}

    assert found == {
        "ece": False,
        "ent_corr": True,
        "f1_macro": True,
        "f1_weighted": True,
        "r2_class": True,
    }


def test_all_metrics_is_a_copy():
    all_metrics().clear()

    assert all_metrics()


@pytest.mark.parametrize("known", all_metrics().values(), ids=lambda known: known.name)
def test_one_file_per_metric_exported_by_the_package(known):
    module, function = known.function.__module__, known.function.__name__

    assert module == f"ambi_tasks.metrics.{known.name}"
    assert function not in {path.stem for path in Path(metrics.__file__).parent.glob("*.py")}
    assert getattr(metrics, function) is known.function is get_metric(known.name).function
    assert function in metrics.__all__


@pytest.mark.parametrize("known", all_metrics().values(), ids=lambda known: known.name)
def test_a_docstring_says_what_a_reader_needs(known):
    text = known.function.__doc__

    for part in ("Args:", "Returns:", "Raises:", "Source:", ">>>"):
        assert part in text
    assert ("higher is better" if known.higher_is_better else "lower is better") in " ".join(
        text.split()
    )


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("jss", "js"),
        ("R2", "r2"),
        ("accuracy", "acc"),
        ("jensen-shannon", "js"),
        ("brier_", "brier"),
    ],
)
def test_an_unknown_name_gets_the_nearest_one(wrong, meant):
    with pytest.raises(UserError, match=f"no metric '{wrong}'; did you mean '{meant}'\\?"):
        get_metric(wrong)


def test_an_unknown_name_like_no_other_gets_the_list():
    with pytest.raises(UserError, match=r"no metric 'zzz'\. The metrics are acc, bc, "):
        get_metric("zzz")


@pytest.mark.usefixtures("empty_registry")
def test_a_taken_name_is_refused_but_a_reload_is_not():
    register = metric(name="zero", higher_is_better=True, bounds=(0, 1))

    def zeros(parsed, drawn):
        return 0 * (parsed + drawn)

    def other(parsed, drawn):
        return 0 * (drawn - parsed)

    assert register(zeros) is zeros
    register(zeros)
    with pytest.raises(ValueError, match=r"Metric 'zero' is both .*zeros and .*other: rename one"):
        register(other)


def test_a_new_file_is_all_that_a_new_metric_takes(tmp_path):
    package = shutil.copytree(Path(metrics.__file__).parent, tmp_path / "metrics")
    (package / "tv.py").write_text(
        textwrap.dedent("""
            from ambi_tasks.metrics.registry import metric
            from ambi_tasks.metrics.validation import distributions

            @metric(name="tv", higher_is_better=False, bounds=(0.0, 1.0))
            def total_variation(truth, prediction):
                p, q = distributions(truth, prediction)
                return abs(p - q).sum(axis=1) / 2
        """)
    )
    code = f"""
        import ambi_tasks
        ambi_tasks.__path__.insert(0, {str(tmp_path)!r})

        from ambi_tasks import metrics
        from ambi_tasks.metrics import total_variation

        print(metrics.get_metric("tv").function([[1, 0]], [[0.5, 0.5]]))
        print(total_variation is metrics.get_metric("tv").function)
        print("total_variation" in metrics.__all__)
    """

    assert fresh_python(code).splitlines() == ["[0.5]", "True", "True"]


def test_importing_takes_numpy_only():
    code = """
        import sys
        from ambi_tasks.metrics import jensen_shannon

        heavy = {"torch", "transformers", "lm_eval", "datasets", "scipy", "sklearn", "jinja2"}
        print(sorted(heavy & set(sys.modules)), jensen_shannon([[1, 0]], [[1, 0]]))
    """

    assert fresh_python(code) == "[] [0.]"


# --- options -------------------------------------------------------------------------------------


def test_every_option_has_a_name_and_a_default():
    found = {name: known.options for name, known in all_metrics().items() if known.options}

    assert found == {
        "acc": {"ties": "expected"},
        "ece": {"bins": 10, "correctness": "soft"},
        "ent_mae": {"base": 2.0},
        "f1_macro": {"ties": "expected"},
        "f1_weighted": {"ties": "expected"},
        "js": {"base": 2.0, "root": False},
        "kl": {"base": 2.0, "smoothing": 0.01, "direction": "forward"},
        "r2": {"form": "correlation"},
    }


def test_a_chosen_option_is_in_force_everywhere():
    truth, prediction = [[0.75, 0.25], [1.0, 0.0]], [[0.875, 0.125], [0.625, 0.375]]
    ece = get_metric("ece").choose({"bins": 1})

    assert ece.options == {"bins": 1, "correctness": "soft"}
    assert ece.compute(truth, prediction) == 0.125
    assert ece.sufficient(truth, prediction).shape == (2, 3)
    assert ece.sufficient(truth, prediction, bins=2).shape == (2, 6)
    assert get_metric("ece").options["bins"] == 10
    assert get_metric("js").choose({"base": 4}).compute([[1, 0]], [[0, 1]]) == 0.5


def test_options_of_some_metrics_leave_the_others():
    chosen = choose_options({"js": {"root": True}, "acc": {}})

    assert list(chosen) == list(all_metrics())
    assert chosen["js"].options == {"base": 2.0, "root": True}
    assert chosen["kl"] == get_metric("kl")


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ([], r"^The options of metrics are like \{\"js\": \{\"base\": 4\}\}, not \[\]\.$"),
        ({"jss": {}}, r"^There is no metric 'jss'; did you mean 'js'\?"),
        ({"ece": 5}, r"^The options of the metric 'ece' are like .*, not 5\.$"),
        ({"ece": {"bin": 5}}, r"^The metric 'ece' has no option 'bin'; did you mean 'bins'\?$"),
        ({"bc": {"base": 2}}, r"^The metric 'bc' has no options, so no 'base'\.$"),
        ({"wasserstein": {"labels": []}}, r"^The metric 'wasserstein' has no options"),
        (
            {"ece": {"bins": "5"}},
            r"^The metric 'ece': bins is '5', but input should be a valid int",
        ),
        ({"ece": {"bins": 0}}, r"^The metric 'ece': bins is 0, but must be between 1 and 1000\.$"),
        ({"js": {"root": 1}}, r"^The metric 'js': root is 1, but input should be a valid boolean"),
        ({"js": {"base": 1}}, r"^The metric 'js': base is 1, but must be a finite number above 1"),
        ({"acc": {"ties": "last"}}, r"^The metric 'acc': ties is 'last', but input should be 'exp"),
        ({"kl": {"smoothing": 0}}, r"^The metric 'kl': smoothing is 0, but must be above 0"),
        (
            {"kl": {"base": None}},
            r"^The metric 'kl': base is None, but input should be a valid num",
        ),
    ],
)
def test_options_that_are_wrong_are_one_sentence(chosen, message):
    with pytest.raises(UserError, match=message):
        choose_options(chosen)


@pytest.mark.usefixtures("empty_registry")
@pytest.mark.parametrize(
    "declared",
    [
        {"level": "corpus"},
        {"level": "corpus", "statistics": len},
        {"level": "utterance", "statistics": len, "from_sums": len},
        {"from_sums": len},
    ],
)
def test_statistics_are_those_of_a_corpus_metric(declared):
    with pytest.raises(ValueError, match="'m': a corpus metric, and no other, has statistics"):
        metric(name="m", higher_is_better=True, bounds=(0, 1), **declared)
