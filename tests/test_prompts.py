"""Prompts: the templates that come with the package, and what is said about broken ones."""

import pytest

from ambi_tasks import prompts
from ambi_tasks.errors import UserError
from ambi_tasks.prompts import Prompt, load_prompt, parse_template, template_folder

FRONT = """id: ask
version: 2
purpose: Ask a question.
placeholders: [labels, hint]
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


def test_direct_names_the_labels_in_order():
    prompt = load_prompt("direct")
    labels = ("anger", "disgust", "fear", "happy", "neutral", "sad")
    text = prompt.render(labels=labels)
    assert ", ".join(labels) in text
    assert ", ".join(labels[::-1]) in prompt.render(labels=labels[::-1])
    assert "{" not in text
    assert text == text.strip()
    assert "---" not in text


def test_reads_front_matter_and_text():
    prompt = parse_template(GOOD, "ask.j2")
    assert prompt == Prompt("ask", 2, "Ask a question.", ("labels", "hint"), TEXT.strip())
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
            "needs the fields id, version, purpose, placeholders; it has version, pu",
        ),
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
        Prompt("ask", 1, "Ask.", ("labels",), "{{ labels.first.name }}").render(labels=[])


def test_loading_is_cached(folder):
    path = folder / "ask.j2"
    path.write_text(GOOD)
    prompt = load_prompt("ask")
    path.unlink()
    assert load_prompt("ask") is prompt


def test_unknown_name(folder):
    (folder / "ask.j2").write_text(GOOD)
    (folder / "direct.j2").write_text(GOOD.replace("id: ask", "id: direct"))
    with pytest.raises(UserError, match=r"There is no prompt 'driect'; there are: ask, direct\."):
        load_prompt("driect")


def test_a_template_of_another_id(folder):
    (folder / "copy.j2").write_text(GOOD)
    with pytest.raises(UserError, match=r"copy\.j2: its id is 'ask', but it must be 'copy'\."):
        load_prompt("copy")


def test_a_template_in_another_encoding(folder):
    (folder / "ask.j2").write_bytes(GOOD.replace("question", "qu\xe9").encode("latin-1"))
    with pytest.raises(UserError, match=r"ask\.j2: the file is not UTF-8"):
        load_prompt("ask")
