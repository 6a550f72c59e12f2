"""`ambi prompts`: what it prints, and its exit codes."""

import json

import pytest

from ambi_tasks import prompts
from ambi_tasks.prompts import load_prompt, prompt_names
from tests.cli.runner import ambi, assert_refused, rows
from tests.corpora.builders import write_crema_d, write_demo

DEMO_LABELS = ["neutral", "happy", "angry", "sad"]


@pytest.fixture
def templates(tmp_path, monkeypatch):
    """A folder of templates of the test's own."""
    folder = tmp_path / "templates"
    folder.mkdir()
    monkeypatch.setattr(prompts, "template_folder", lambda: folder)
    load_prompt.cache_clear()
    yield folder
    load_prompt.cache_clear()


def write_template(folder, name, text, placeholders):
    front = f"id: {name}\nversion: 1\npurpose: p\nplaceholders: {json.dumps(placeholders)}\nnote: n"
    (folder / f"{name}.j2").write_text(f"---\n{front}\n---\n{text}\n")


# --- list ----------------------------------------------------------------------------------------


def test_list_says_all_of_every_prompt():
    result = ambi("prompts")
    assert result.exit_code == 0
    printed = "\n".join(rows(result.stdout))
    for name in prompt_names():
        prompt = load_prompt(name)
        assert f"{prompt.id} {prompt.purpose}"[:60] in printed
        assert f"version {prompt.version} Author's note: {prompt.note}"[:60] in printed
        assert prompt.sha256[:12] in printed
    assert "task response low high" in " ".join(line.split(" ")[-1] for line in rows(printed))


def test_list_is_the_default():
    assert ambi("prompts", "list").stdout == ambi("prompts").stdout


def test_a_broken_template_is_one_sentence(templates):
    (templates / "mine.j2").write_text("no front matter")
    assert_refused(ambi("prompts"), "mine.j2: a template starts with front matter")


# --- show ----------------------------------------------------------------------------------------


def test_show_prints_what_a_model_reads_and_nothing_else():
    result = ambi("prompts", "show", "direct")
    assert result.exit_code == 0
    assert result.stdout == load_prompt("direct").render(labels=DEMO_LABELS) + "\n"
    assert "direct, version 1, on demo_001 of The demo corpus" in result.stderr


@pytest.mark.parametrize("name", prompt_names())
def test_every_prompt_can_be_shown(name):
    result = ambi("prompts", "show", name, width=40)  # no terminal breaks its lines
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) > 40
    assert "{{" not in result.stdout


def test_a_verifier_judges_an_example_of_an_answer():
    shown = ambi("prompts", "show", "verifier_rating").stdout
    assert load_prompt("direct").render(labels=DEMO_LABELS) in shown
    assert '{"neutral": 0.5, "happy": 0.167, "angry": 0.167, "sad": 0.167}' in shown
    assert "from 0 (wrong throughout) to 10 (" in shown


@pytest.mark.parametrize(
    ("order", "labels"),
    [
        ("reversed", "sad, angry, happy, neutral"),
        ("shuffled:3", ", ".join(prompts.order_labels(DEMO_LABELS, "shuffled:3"))),
    ],
)
def test_label_orders(order, labels):
    assert f": {labels}." in ambi("prompts", "show", "direct", "--label-order", order).stdout


@pytest.mark.parametrize("order", ["backwards", "shuffled", "shuffled:x", "7", "shuffled: 1"])
def test_a_mistaken_label_order(order):
    result = ambi("prompts", "show", "direct", "--label-order", order)
    assert_refused(result, f"--label-order is given, reversed or shuffled:SEED, not '{order}'.")


def test_another_corpus_and_label_rule(tmp_path):
    root = write_crema_d(tmp_path, {"1001_DFA_ANG_XX": {"A": 3}, "1001_IEO_HAP_LO": {"H": 4}})
    metadata = {"crema_d_root": str(root), "label_rule": {"min_votes": 4}}
    asked = ("prompts", "show", "direct", "--corpus", "crema_d")
    result = ambi(*asked, "--metadata", json.dumps(metadata))
    assert result.exit_code == 0
    assert "anger, disgust, fear, happy, neutral, sad" in result.stdout
    assert "on 1001_IEO_HAP_LO of CREMA-D" in result.stderr  # the first one that a run asks about
    named = (*asked, "--utterance", "1001_DFA_ANG_XX", "--metadata")
    assert ambi(*named, json.dumps({"crema_d_root": str(root)})).exit_code == 0
    refused = "a run would not ask about '1001_DFA_ANG_XX' (too_few_votes)"
    assert_refused(ambi(*named, json.dumps(metadata)), refused)


def test_a_corpus_without_any_utterance_left(tmp_path):
    root = write_demo(tmp_path, {"s_1": ["happy"]})
    metadata = {"demo_root": str(root), "label_rule": {"min_votes": 4}}
    result = ambi("prompts", "show", "direct", "--metadata", json.dumps(metadata))
    assert_refused(result, "no utterance is left")


def test_mistaken_names():
    assert_refused(ambi("prompts", "show", "directly"), "did you mean 'direct'?")
    assert_refused(ambi("prompts", "show", "direct", "--corpus", "dmo"), "did you mean 'demo'?")
    unknown = ambi("prompts", "show", "direct", "--utterance", "demo_01")
    assert_refused(unknown, "The demo corpus has no utterance 'demo_01'; did you mean 'demo_0")
    assert_refused(ambi("prompts", "show", "direct", "--metadata", "{"), "--metadata is not JSON")
    assert_refused(ambi("prompts", "show", "direct", "--corpus", "iemocap"), "set IEMOCAP_ROOT")


def test_a_placeholder_that_has_no_example(templates):
    write_template(templates, "mine", "{{ labels }} {{ mood }}", ["labels", "mood"])
    assert_refused(ambi("prompts", "show", "mine"), "the placeholder 'mood', for which there is no")
