"""`ambi_tasks.leaderboard.exports` and the command that repeats an entry."""

import datetime
import importlib.util
import json
import os
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries

from ambi_tasks.leaderboard.board import read_board
from ambi_tasks.leaderboard.command import repeat_command
from ambi_tasks.leaderboard.exports.badge import badge_json
from ambi_tasks.leaderboard.exports.every_eval_ever import record_of
from ambi_tasks.leaderboard.exports.hugging_face import yaml_of
from ambi_tasks.leaderboard.exports.readme_table import markdown_tables
from ambi_tasks.leaderboard.submission import Weights
from tests.cli.runner import ambi
from tests.leaderboard.test_board import BOARD

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)


@pytest.fixture(scope="module")
def entries(made_board):
    return {entry.submission.strategy.name: entry for entry in read_board(made_board).entries}


def their_schema():
    """The schema of the package every_eval_ever, or of the file that a variable names."""
    if named := os.environ.get("AMBI_TEST_EVERY_EVAL_EVER"):
        return json.loads(Path(named).read_text(encoding="utf-8"))
    if importlib.util.find_spec("every_eval_ever") is None:
        pytest.skip("neither every_eval_ever nor AMBI_TEST_EVERY_EVAL_EVER is there")
    from every_eval_ever.schema import schema_json  # noqa: PLC0415

    return schema_json()


def test_every_eval_ever_accepts_every_entry(entries):
    jsonschema = pytest.importorskip("jsonschema")
    schema = their_schema()
    for entry in entries.values():
        record = record_of(entry, NOW)
        jsonschema.validate(json.loads(json.dumps(record)), schema)
        assert record["schema_version"] == schema["version"]


def test_a_record_of_every_eval_ever(entries):
    record = record_of(entries["walmv"], NOW)
    assert record["evaluation_id"] == "ambi_demo_walmv/Example-Lab/Scripted-1B/1767323045"
    assert record["model_info"]["additional_details"]["deployment_type"] == "self_deployed"
    by_metric = {one["metric_config"]["metric_name"]: one for one in record["evaluation_results"]}
    scores = entries["walmv"].submission.scores
    assert set(by_metric) == {name for name, one in scores.items() if one.value is not None}
    js = by_metric["js"]
    assert js["score_details"]["score"] == pytest.approx(scores["js"].value)
    assert js["metric_config"]["lower_is_better"] is True
    assert (js["metric_config"]["min_score"], js["metric_config"]["max_score"]) == (0.0, 1.0)
    assert by_metric["kl"]["metric_config"]["max_score"] != float("inf")
    interval = js["score_details"]["uncertainty"]["confidence_interval"]
    assert interval["lower"] < scores["js"].value < interval["upper"]
    json.dumps(record, allow_nan=False)


def test_no_two_records_have_one_name(entries):
    """Variants, and models of one checkpoint, are evaluations of their own."""
    one = entries["sc"]
    variant = replace(one, key=f"{one.key}--hot")
    quantised = replace(one, key=one.key.replace("-1B", "-1B-4-bit"))
    names = {record_of(each, NOW)["evaluation_id"] for each in (one, variant, quantised)}
    assert len(names) == 3


def test_decoding_of_strangers_is_of_the_types_of_the_schema(entries):
    decoding = {"temperature": "hot", "top_p": True, "max_gen_toks": 2.5, "min_p": 0.1}
    one = entries["sc"]
    submission = one.submission.model_copy(update={"decoding": decoding})
    record = record_of(replace(one, submission=submission), NOW)
    arguments = record["evaluation_results"][0]["generation_config"]["generation_args"]
    assert set(arguments) == {"execution_command"}


def test_hugging_face_reads_what_it_is_given(entries):
    text = yaml_of(entries["sc"], dataset="someone/board", url="https://example.org/board")
    read = parse_eval_result_entries(yaml.safe_load(text))
    assert [one.task_id for one in read] == [
        f"demo_sc_{name}" for name in ("js", "bc", "r2", "acc")
    ]
    assert read[0].dataset_id == "someone/board"
    assert read[0].value == pytest.approx(entries["sc"].submission.scores["js"].value, abs=1e-6)
    assert read[0].notes == "sc, 4 draws, recomputed"
    assert read[0].source_url == "https://example.org/board"


def test_references_are_no_evaluations():
    for entry in read_board(BOARD).entries:
        if entry.is_reference:
            with pytest.raises(ValueError, match="is a reference"):
                record_of(entry, NOW)
            with pytest.raises(ValueError, match="is a reference"):
                yaml_of(entry, dataset="a/b", url="https://example.org")


def test_the_table_is_in_order_and_says_what_is_what(entries):
    board = [*read_board(BOARD).entries, *entries.values()]
    tables = markdown_tables(board)
    assert "demo" not in tables
    assert tables.startswith("**CREMA-D**, 7,441 utterances\n\n| model | strategy | js ↓ | bc ↑ |")
    lines = [line for line in tables.splitlines() if line.startswith("| *")]
    assert [line.split("*")[1] for line in lines] == [
        "human ceiling (split half)",
        "floor: label prior",
        "floor: uniform",
    ]
    demo = markdown_tables(board, demo=True)
    assert "**The demo corpus** (demonstration, no benchmark)" in demo
    rows = [line for line in demo.splitlines() if line.startswith("| Scripted 1B | ")]
    values = [float(line.split("|")[3].split()[0]) for line in rows]
    assert values == sorted(values)
    assert len(values) == len(entries)


def test_tables_say_what_is_not_by_default(entries):
    one = entries["sc"]
    crema_d = next(each for each in read_board(BOARD).entries if "uniform/crema_d" in each.key)
    corpus = crema_d.submission.corpus
    faces = corpus.model_copy(
        update={"options": {**corpus.options, "modality": "face"}, "manifest_sha256": "0" * 64}
    )
    both = [
        replace(one, submission=one.submission.model_copy(update={"corpus": record}))
        for record in (faces, corpus)
    ]
    titles = [line for line in markdown_tables(both).splitlines() if line.startswith("**")]
    assert titles == [
        "**CREMA-D**, 7,441 utterances",
        "**CREMA-D**, modality=face, 7,441 utterances",
    ]
    notes = [yaml_of(each, dataset="a/b", url="https://example.org") for each in both]
    assert ["modality=face" in text for text in notes] == [True, False]


def test_the_badge_counts_models_not_references(entries):
    badge = json.loads(badge_json(read_board(BOARD).entries))
    assert badge["schemaVersion"] == 1
    assert badge["message"].startswith("0 models, 0 entries")
    assert json.loads(badge_json(list(entries.values())))["message"].startswith("0 models")


# --- the command ---------------------------------------------------------------------------------


def words_of(submission):
    words = shlex.split(repeat_command(submission))
    return dict(zip(words[1::2], words[2::2], strict=False))


def test_a_run_with_the_defaults_needs_few_words(entries):
    submission = entries["direct"].submission
    model = submission.model.model_copy(update={"checkpoint": "org/name", "revision": "abc"})
    submission = submission.model_copy(update={"model": model})
    assert repeat_command(submission) == (
        "lm_eval --tasks ambi_demo_direct --model alm_hf "
        "--model_args pretrained=org/name,revision=abc --log_samples --output_path results/"
    )


def test_what_was_changed_is_in_the_command(entries):
    submission = entries["walmv"].submission
    fields = {**submission.strategy.fields, "prompt": "direct_v2", "label_order": "reversed"}
    verifier = Weights(
        checkpoint="org/judge",
        adapter="alm_hf",
        adapter_version="1",
        arguments={"dtype": "float32"},
    )
    submission = submission.model_copy(
        update={
            "strategy": submission.strategy.model_copy(update={"fields": fields}),
            "decoding": {**submission.decoding, "top_p": 0.9},
            "seeds": {"draws": 7},
            "verifier": verifier,
        }
    )
    words = words_of(submission)
    assert json.loads(words["--metadata"]) == {
        "draws": 4,
        "prompt": "direct_v2",
        "label_order": "reversed",
    }
    assert words["--gen_kwargs"] == "top_p=0.9,seed=7"
    assert words["--model_args"].endswith(
        "verifier=alm_hf,verifier_args=pretrained=org/judge;dtype=float32"
    )


def test_options_and_label_rule_of_the_corpus_are_in_the_command(entries):
    corpus = entries["sc"].submission.corpus
    uniform = next(
        one.submission for one in read_board(BOARD).entries if "uniform/crema_d" in one.key
    )
    changed = uniform.corpus.model_copy(update={"options": {**uniform.corpus.options, "fold": "3"}})
    submission = entries["sc"].submission.model_copy(update={"corpus": changed})
    assert json.loads(words_of(submission)["--metadata"])["fold"] == "3"
    assert "fold" not in repeat_command(submission.model_copy(update={"corpus": corpus}))


def test_export(own_board, tmp_path):
    where = ("--dataset", "a/b", "--url", "https://example.org")
    result = ambi("board", "export", "--board", own_board, "-o", tmp_path / "out", *where)
    assert result.exit_code == 0, result.stderr
    assert len(list((tmp_path / "out/every_eval_ever").glob("*.json"))) == 8
    assert len(list((tmp_path / "out/eval_results").glob("*.yaml"))) == 8
    assert "Scripted 1B" in (tmp_path / "out/demo_table.md").read_text(encoding="utf-8")
    result = ambi("board", "export", "--board", own_board, "-o", tmp_path / "less")
    assert sorted(path.name for path in (tmp_path / "less").iterdir()) == [
        "badge.json",
        "demo_table.md",
        "every_eval_ever",
        "table.md",
    ]
