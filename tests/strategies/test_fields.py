"""What can be set of a strategy, what its task file sets, and what is said about wrong values."""

import math
import re
from pathlib import Path

import pytest
import yaml

from ambi_tasks.errors import UserError
from ambi_tasks.scoring import NO_PROBABILITY, NOT_ASKED
from ambi_tasks.strategies import all_strategies, combine, documentation, get_strategy
from ambi_tasks.strategies.documentation import (
    BEGIN,
    END,
    defaults,
    fields_table,
    main,
    renewed,
)
from ambi_tasks.strategies.fields import VerifiedFields
from ambi_tasks.strategies.registry import _STRATEGIES
from ambi_tasks.verdicts import RatingFailure
from ambi_tasks.verification import verifier_prompt
from tests.strategies.candidates import NAMES, fields_of, read

PAGE = Path(__file__).parents[2] / "docs" / "strategies.md"


@pytest.mark.parametrize("name", NAMES)
def test_task_files_set_every_field(name):
    settings = get_strategy(name).settings(defaults(name))
    assert set(defaults(name)) == set(type(settings).model_fields)
    assert all(field.description for field in type(settings).model_fields.values())


@pytest.mark.parametrize(
    ("name", "mode", "pool"),
    [
        ("direct", "greedy", 1),
        ("cot", "greedy", 1),
        ("sc", "sample", 16),
        ("bon", "beam", 5),  # the paper's
        ("wbon", "beam", 5),  # the paper's
        ("almv", "sample", 3),  # the paper's number
        ("walmv", "sample", 3),  # the paper's number
        ("tlr", "none", 1),
    ],
)
def test_defaults(name, mode, pool):
    settings = fields_of(name)
    assert (settings.mode, settings.pool) == (mode, pool)
    assert settings.label_order == "given"


def test_options_of_ours_are_off_by_default():
    assert fields_of("bon").model_dump()["length_normalisation"] == 0
    assert fields_of("wbon").model_dump()["length_normalisation"] == 0
    assert fields_of("wbon").model_dump()["weight_temperature"] == 1
    assert fields_of("tlr").model_dump()["calibration"] == "none"
    assert fields_of("sc").model_dump()["vote"] == "distribution"


def test_strategies_that_sample_draw_from_one_pool():
    pooled = ("sc", "almv", "walmv")
    shared = [
        {key: defaults(name)[key] for key in ("prompt", "label_order", "candidates", "temperature")}
        for name in pooled
    ]
    assert shared[0] == shared[1] == shared[2]
    assert {key: value for key, value in defaults("wbon").items() if key in defaults("bon")} == (
        defaults("bon")
    )
    assert defaults("almv") == defaults("walmv")


@pytest.mark.parametrize("score", ["rating", "probability"])
def test_a_verifier_has_its_prompt(score):
    settings = fields_of("walmv", score=score)
    assert isinstance(settings, VerifiedFields)
    assert verifier_prompt(settings).id == f"verifier_{score}"


@pytest.mark.parametrize("name", NAMES)
def test_records_of_settings_are_settings(name):
    settings = fields_of(name, **({"scale": (1, 5)} if "scale" in defaults(name) else {}))
    assert get_strategy(name).settings(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    ("name", "field", "value", "message"),
    [
        ("sc", "draws", 0, "draws is 0, but input should be greater than or equal to 1"),
        ("sc", "draws", -1, "draws is -1, but input should be greater"),
        ("sc", "draws", True, "draws is True, but input should be a valid integer"),
        ("sc", "draws", "8", "draws is '8', but input should be a valid integer"),
        ("sc", "draws", 2.5, r"draws is 2\.5, but input should be a valid integer"),
        ("sc", "draws", None, "draws is None, but input should be a valid integer"),
        ("bon", "beams", 0, "beams is 0, but input should be greater"),
        ("sc", "temperature", 0, "temperature is 0, but input should be greater than 0"),
        ("sc", "temperature", True, "temperature is True, but input should be a valid number"),
        ("sc", "temperature", math.inf, "temperature is inf, but input should be a finite number"),
        ("wbon", "weight_temperature", 0, "weight_temperature is 0, but input should be greater"),
        ("tlr", "weight_temperature", math.nan, "weight_temperature is nan, but input should be"),
        ("bon", "length_normalisation", 1.5, r"1\.5, but input should be less than or equal to 1"),
        ("wbon", "length_normalisation", -1, "-1, but input should be greater than or equal to 0"),
        ("direct", "concentration", 0, "concentration is 0, but input should be greater than 0"),
        ("direct", "label_order", "random", "label_order is 'random', but .* should match pattern"),
        ("direct", "label_order", "shuffled:", "but string should match pattern"),
        ("direct", "prompt", 3, "prompt is 3, but input should be a valid string"),
        ("sc", "vote", "max", "vote is 'max', but input should be 'distribution' or 'argmax'"),
        ("bon", "candidates", "greedy", "'greedy', but input should be 'sample' or 'beam'"),
        ("almv", "score", "stars", "'stars', but input should be 'rating' or 'probability'"),
        ("almv", "verifier_tokens", 0, "verifier_tokens is 0, but input should be greater"),
        ("almv", "scale", [5, 1], r"\[5, 1\], but the scale must be two numbers, 0 <= low < high"),
        ("almv", "scale", [1, 1], r"\[1, 1\], but the scale must be two numbers, 0 <= low < high"),
        ("almv", "scale", [1], r"scale is \[1\], but field required"),
        ("almv", "scale", [-1, 1], "but input should be greater than or equal to 0"),
        ("almv", "scale", [0, math.inf], "but input should be a finite number"),
        ("almv", "scale", 10, "scale is 10, but input should be a valid tuple"),
        ("tlr", "calibration", "noise", "'noise', but input should be 'none' or 'silence'"),
    ],
)
def test_a_wrong_value(name, field, value, message):
    meaning = get_strategy(name).fields.model_fields[field].description
    with pytest.raises(UserError, match=rf"^The strategy '{name}': .*{message}") as caught:
        fields_of(name, **{field: value})
    assert str(caught.value).endswith(f". ({meaning})")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "field", "message"),
    [
        ("sc", "drwas", "has no field 'drwas'; did you mean 'draws'?"),
        ("wbon", "weight_temprature", "did you mean 'weight_temperature'?"),
        ("direct", "draws", "has no field 'draws'; there are: concentration, label_order, prompt."),
        ("direct", 8, "has no field '8'; there are: concentration, label_order, prompt."),
    ],
)
def test_an_unknown_field(name, field, message):
    with pytest.raises(UserError) as caught:
        get_strategy(name).settings(defaults(name) | {field: 1})
    assert str(caught.value).startswith(f"The strategy '{name}' has no field")
    assert str(caught.value).endswith(message)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_field(name):
    for field in defaults(name):
        values = {key: value for key, value in defaults(name).items() if key != field}
        with pytest.raises(UserError, match=rf"^The strategy '{name}' needs the field '{field}'\."):
            get_strategy(name).settings(values)


@pytest.mark.parametrize("order", ["given", "reversed", "shuffled:0", "shuffled:-7"])
def test_orders_of_labels(order):
    assert fields_of("direct", label_order=order).label_order == order


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        fields_of("direct").prompt = "cot"


# --- the table of the guide ----------------------------------------------------------------------


def test_the_guide_has_the_fields_as_they_are():
    page = PAGE.read_text(encoding="utf-8")
    renew = "python -m ambi_tasks.strategies.documentation docs/strategies.md"
    assert renewed(page) == page, f"The table of fields is stale; renew it by: {renew}"
    assert renew in page


def test_the_table_names_every_field_of_every_strategy():
    table = fields_table()
    for name, known in all_strategies().items():
        for field in known.fields.model_fields:
            rows = [line for line in table.splitlines() if line.startswith(f"| `{field}` |")]
            assert any("| all |" in row or f"`{name}`" in row for row in rows), (name, field)
    assert "| `draws` |" in table
    assert "`3` (almv, walmv); `5` (bon, wbon); `16` (sc)" in table


def test_renewing_a_page(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(f"Before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    main([str(path)])
    text = path.read_text(encoding="utf-8")
    assert text == f"Before\n{BEGIN}\n{fields_table()}\n{END}\nafter\n"
    assert renewed(text) == text
    with pytest.raises(ValueError, match="has no <!-- fields: begin -->"):
        renewed("Nothing here.")


def test_the_guide_names_every_failure_of_a_verdict():
    page = PAGE.read_text(encoding="utf-8")
    for failure in (*RatingFailure, NO_PROBABILITY, NOT_ASKED):
        assert f"| `{failure}` |" in page


def test_the_guide_says_what_the_task_files_set():
    page = PAGE.read_text(encoding="utf-8")
    assert "| `sc` | 16 sampled answers |" in page
    assert "| `bon` | all 5 beams of one beam search |" in page
    assert "| `almv` | 3 sampled answers, each" in page
    tasks = Path(documentation.__file__).parents[1] / "tasks"
    cot = yaml.safe_load((tasks / "strategy_cot.yaml").read_text(encoding="utf-8"))
    base = (tasks / "base.yaml").read_text(encoding="utf-8")
    (usual,) = re.findall(r"^  max_gen_toks: (\d+)$", base, flags=re.MULTILINE)
    assert f"({usual}; {cot['generation_kwargs']['max_gen_toks']} for\n`cot`)" in page


def test_the_guides_example_of_a_new_strategy_works():
    page = PAGE.read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    example, pair = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    before = dict(all_strategies())
    try:
        exec(code, {"__name__": "shortest"})
        values = yaml.safe_load(example)["strategy"]
        shortest = get_strategy(values.pop("name"))
        candidates = [read(1.0, 0.0, tokens=1), read(0.0, 1.0, tokens=3)]
        prediction = combine(shortest, shortest.settings(values), candidates, 2)
        assert prediction.distribution == (0.75, 0.25)
    finally:
        _STRATEGIES.clear()
        _STRATEGIES.update(before)
    existing = Path(documentation.__file__).parents[1] / "tasks" / "ambi_demo_sc.yaml"
    assert pair == existing.read_text(encoding="utf-8").replace("sc", "shortest")
