"""Prompts: the templates that come with the package, and what is said about broken ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks import prompts
from ambi_tasks.errors import UserError
from ambi_tasks.prompts import (
    Prompt,
    load_prompt,
    order_labels,
    parse_template,
    prompt_names,
    template_folder,
)

FRONT = """id: ask
version: 2
purpose: Ask a question.
placeholders: [labels, hint]
note: So that a hint may help.
"""
TEXT = """Which of {{ labels | join(", ") }}?

{% if hint %}Hint: {{ hint }}{% endif %}
"""
GOOD = f"---\n{FRONT}---\n{TEXT}"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder of templates in place of the package's."""
    monkeypatch.setattr(prompts, "template_folder", lambda: tmp_path)
    load_prompt.cache_clear()
    yield tmp_path
    load_prompt.cache_clear()


def test_every_template_of_the_package_loads_under_its_name():
    names = [path.stem for path in template_folder().glob("*.j2")]
    assert "direct" in names
    for name in names:
        prompt = load_prompt(name)
        assert prompt.id == name
        assert prompt.version >= 1
        assert prompt.purpose.endswith(".")
        assert prompt.note.endswith(".")
    assert prompt_names() == sorted(names)
    assert {"direct", "cot", "label", "verifier_rating", "verifier_probability"} <= set(names)


QUESTIONS = [name for name in prompt_names() if load_prompt(name).placeholders == ("labels",)]


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize(
    "labels",
    [
        ("anger", "disgust", "fear", "happy", "neutral", "sad"),
        ("愤怒", "高兴"),
        ("fröhlich", "a&b"),
    ],
)
def test_questions_name_the_labels_in_order(name, labels):
    prompt = load_prompt(name)
    assert (prompt.scale, prompt.answers) == (None, None)
    text = prompt.render(labels=list(labels))
    assert ", ".join(labels) in text
    assert ", ".join(labels[::-1]) in prompt.render(labels=list(labels[::-1]))
    assert text == text.strip()
    assert "---" not in text
    assert "{{" not in text
    assert "{%" not in text


def test_direct_v3_shows_the_form_and_the_defaults_do_not():
    labels = ["sad", "happy"]
    shown = '{"sad": share, "happy": share}'
    assert load_prompt("direct_v3").render(labels=labels).endswith(shown)
    for name in ("direct", "cot", "label"):
        assert "{" not in load_prompt(name).render(labels=labels)


def test_wordings_differ():
    assert len({load_prompt(name).sha256 for name in prompt_names()}) == len(prompt_names())


def test_verifiers_say_how_they_are_answered():
    rating, probability = load_prompt("verifier_rating"), load_prompt("verifier_probability")
    assert (rating.scale, rating.answers) == ((0, 10), None)
    assert (probability.scale, probability.answers) == (None, ("yes", "no"))
    values = {"task": "Which of {a, b}?", "response": '{"a": 1}'}
    text = rating.render(low="1", high="7", **values)
    assert "Which of {a, b}?" in text
    assert '{"a": 1}' in text
    assert "from 1 " in text
    assert "to 7 " in text
    # Candidates of one clip share what comes before the answer.
    assert text.index(values["task"]) < text.index(values["response"])
    assert probability.render(**values).endswith("Write yes or no.")


def test_reads_front_matter_and_text():
    prompt = parse_template(GOOD, "ask.j2")
    assert prompt == Prompt(
        "ask",
        2,
        "Ask a question.",
        ("labels", "hint"),
        "So that a hint may help.",
        TEXT.strip(),
    )
    assert prompt.render(labels=["a", "b"], hint="") == "Which of a, b?"
    assert prompt.render(labels=["a", "b"], hint="c") == "Which of a, b?\n\nHint: c"


def test_text_goes_to_a_model_and_not_into_a_page():
    assert (
        parse_template(GOOD, "ask.j2")
        .render(labels=["<a>", "'b' & c"], hint="")
        .startswith("Which of <a>, 'b' & c?")
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: "\n" + text,
        lambda text: text.replace("---\n", "--- \n"),
        lambda text: text + "\n\n",
    ],
    ids=["crlf", "byte_order_mark", "blank_line", "blank_after_dashes", "blank_lines_at_the_end"],
)
def test_harmless_differences(change):
    plain, changed = parse_template(GOOD, "ask.j2"), parse_template(change(GOOD), "ask.j2")
    assert changed == plain
    assert changed.sha256 == plain.sha256


def test_three_dashes_in_the_text_and_in_a_value():
    source = GOOD.replace("Ask a question.", "Ask ---").replace("Which", "---\nWhich")
    prompt = parse_template(source, "ask.j2")
    assert prompt.purpose == "Ask ---"
    assert prompt.text.startswith("---\nWhich of")


def test_hash_is_that_of_the_text():
    prompt = parse_template(GOOD, "ask.j2")
    assert parse_template(GOOD.replace("Which", "What"), "ask.j2").sha256 != prompt.sha256
    assert parse_template(GOOD.replace("a question", "it"), "ask.j2").sha256 == prompt.sha256


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (GOOD, "", "starts with front matter"),
        (GOOD, "Which of {{ labels }}?", "starts with front matter"),
        ("---\nid", "id", "starts with front matter"),
        ("---\nWhich", "Which", "starts with front matter"),
        ("---\nid", "Hello\n---\nid", "starts with front matter"),
        ("id: ask", "id: [ask", "the front matter is not YAML"),
        (
            "id: ask\n",
            "",
            "needs the fields id, version, purpose, placeholders, note; it has version, pu",
        ),
        ("note: So that a hint may help.\n", "", "placeholders, note; it has id, version, purpose"),
        ("note: So", "note:\n  So: so", r"note must be a text, not \{"),
        ("id: ask\n", "id: ask\nmodel: x\n", "it has id, model, version, purpose, placeholders"),
        (FRONT, "ask\n", "needs the fields .* it has no fields"),
        (FRONT, "", "needs the fields .* it has no fields"),
        ("id: ask", "id: 7", "id must be a text, not 7"),
        ("id: ask", "id:", "id must be a text, not None"),
        ("version: 2", "version: 1.5", r"version must be a whole number, not 1\.5"),
        ("version: 2", "version: true", "version must be a whole number, not True"),
        ("version: 2", "version: two", "version must be a whole number, not 'two'"),
        ("purpose: Ask a question.", "purpose: []", r"purpose must be a text, not \[\]"),
        ("[labels, hint]", "labels", "placeholders must be a list, not 'labels'"),
        ("[labels, hint]", "[labels, 3]", "placeholders must be names"),
        ("[labels, hint]", "[labels]", r"uses \['hint', 'labels'\], but .* are \['labels'\]"),
        (
            "[labels, hint]",
            "[labels, hint, clip]",
            r"placeholders are \['clip', 'hint', 'labels'\]",
        ),
        ("{% endif %}", "", "the text is not a Jinja template"),
        (TEXT, "\n", "there is no text after the front matter"),
        ("\n" + TEXT, "", "there is no text after the front matter"),
    ],
)
def test_broken_templates(old, new, message):
    assert GOOD.count(old) == 1
    with pytest.raises(UserError, match=rf"^ask\.j2: .*{message}"):
        parse_template(GOOD.replace(old, new), "ask.j2")


@pytest.mark.parametrize("values", [{}, {"labels": ["a"]}, {"labels": ["a"], "hint": "", "x": 1}])
def test_values_and_placeholders_agree(values):
    with pytest.raises(UserError, match=r"Prompt 'ask' takes \['hint', 'labels'\], but got \["):
        parse_template(GOOD, "ask.j2").render(**values)


def test_a_value_that_does_not_fit():
    with pytest.raises(UserError, match="Prompt 'ask' cannot be rendered"):
        Prompt("ask", 1, "Ask.", ("labels",), "", "{{ labels.first.name }}").render(labels=[])


def test_loading_is_cached(folder):
    path = folder / "ask.j2"
    path.write_text(GOOD)
    prompt = load_prompt("ask")
    path.unlink()
    assert load_prompt("ask") is prompt


def test_unknown_name(folder):
    (folder / "ask.j2").write_text(GOOD)
    (folder / "direct.j2").write_text(GOOD.replace("id: ask", "id: direct"))
    with pytest.raises(UserError, match=r"There is no prompt 'driect'; did you mean 'direct'\?"):
        load_prompt("driect")
    with pytest.raises(UserError, match=r"There is no prompt 'xyzzy'; there are: ask, direct\."):
        load_prompt("xyzzy")


def test_a_template_of_another_id(folder):
    (folder / "copy.j2").write_text(GOOD)
    with pytest.raises(UserError, match=r"copy\.j2: its id is 'ask', but it must be 'copy'\."):
        load_prompt("copy")


def test_a_template_in_another_encoding(folder):
    (folder / "ask.j2").write_bytes(GOOD.replace("question", "qu\xe9").encode("latin-1"))
    with pytest.raises(UserError, match=r"ask\.j2: the file is not UTF-8"):
        load_prompt("ask")


# --- what a verifier's front matter says ---------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "scale", "answers"),
    [
        ("scale: [1, 5]", (1, 5), None),
        ("scale: [0, 2.5]", (0, 2.5), None),
        ("answers: [good, bad]", None, ("good", "bad")),
        ('answers: ["yes", "no"]', None, ("yes", "no")),
        ("answers: [好, 坏]\nscale: [0, 1]", (0, 1), ("好", "坏")),
    ],
)
def test_scale_and_answers(line, scale, answers):
    prompt = parse_template(GOOD.replace("note:", f"{line}\nnote:"), "ask.j2")
    assert (prompt.scale, prompt.answers) == (scale, answers)
    assert prompt.sha256 == parse_template(GOOD, "ask.j2").sha256


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("scale: 10", r"scale must be two numbers, 0 <= low < high, not 10\."),
        ("scale: [10]", r"scale must be two numbers, 0 <= low < high, not \[10\]"),
        ("scale: [0, 5, 10]", "scale must be two numbers, 0 <= low < high"),
        ("scale: [1, 1]", "scale must be two numbers, 0 <= low < high"),
        ("scale: [low, high]", "scale must be two numbers, 0 <= low < high"),
        ("scale: [false, 1]", "scale must be two numbers, 0 <= low < high"),
        ("scale: [5, 1]", r"scale must be two numbers, 0 <= low < high, not \[5, 1\]\."),
        ("scale: [-1, 1]", "scale must be two numbers, 0 <= low < high"),
        ("scale: [0, .inf]", "scale must be two numbers, 0 <= low < high"),
        ("scale: [.nan, 1]", "scale must be two numbers, 0 <= low < high"),
        ("scale:", "scale must be two numbers, 0 <= low < high, not None"),
        ("answers: [yes, no]", r"answers must be two different texts, not \[True, False\]"),
        ("answers: [good, good]", "answers must be two different texts"),
        ('answers: ["", bad]', "answers must be two different texts"),
        ("answers: good", "answers must be two different texts, not 'good'"),
    ],
)
def test_broken_scales_and_answers(line, message):
    with pytest.raises(UserError, match=rf"^ask\.j2: the front matter's {message}"):
        parse_template(GOOD.replace("note:", f"{line}\nnote:"), "ask.j2")


# --- the order of the labels ---------------------------------------------------------------------

SIX = ["anger", "disgust", "fear", "happy", "neutral", "sad"]


def test_orders_of_labels():
    assert order_labels(SIX, "given") == SIX
    assert order_labels(SIX, "reversed") == SIX[::-1]
    assert order_labels(tuple(SIX), "given") == SIX
    assert order_labels(["a"], "shuffled:3") == ["a"]


@given(labels=st.lists(st.text(), unique=True), seed=st.integers(-(10**9) + 1, 10**9 - 1))
def test_a_shuffled_order_is_one_permutation_by_its_seed(labels, seed):
    before = list(labels)
    order = order_labels(labels, f"shuffled:{seed}")
    assert sorted(order) == sorted(labels)
    assert order_labels(labels, f"shuffled:{seed}") == order
    assert labels == before


def test_seeds_differ():
    assert len({tuple(order_labels(SIX, f"shuffled:{seed}")) for seed in range(20)}) > 10
