"""What the pages say, that they ask nothing of any network, and that strangers' text stays text."""

import html.parser
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest

from ambi_tasks.leaderboard.reading import Finding
from ambi_tasks.leaderboard.site.downloads import downloads
from ambi_tasks.leaderboard.site.pages import pages
from ambi_tasks.leaderboard.site.standings import standings
from ambi_tasks.leaderboard.submission import ComputeRecord, CurvePoint, ParsingRecord
from ambi_tasks.metrics import all_metrics
from tests.leaderboard.site.conftest import DAY, MODELS, Written

ATTACK = "\"'><script>alert(1)</script><img src=x onerror=alert(1)></script>{{1234*5678}}"


class Page(html.parser.HTMLParser):
    """The elements of a page, with their attributes and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag: str):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return "".join(self.texts)


@pytest.fixture(scope="module")
def site(written: Written) -> dict[str, Page]:
    """Path -> page, as written."""
    return {
        path.relative_to(written.site).as_posix(): Page(path.read_text(encoding="utf-8"))
        for path in written.site.rglob("*.html")
    }


def test_every_entry_has_a_page_and_a_row(written: Written, site):
    for group in written.found:
        row_links = {link["href"] for link in site[f"corpora/{group.corpus.name}.html"].all("a")}
        for one in group.everybody:
            assert f"entries/{one.entry.key}.html" in site
            assert f"../entries/{one.entry.key}.html" in row_links


def test_the_main_table_has_the_numbers(written: Written):
    text = (written.site / "corpora/crema_d.html").read_text(encoding="utf-8")
    rows = re.findall(r"<tr data-text.*?</tr>", text, flags=re.DOTALL)[: len(MODELS)]
    models = written.of("crema_d").models
    for one, row in zip(models, rows, strict=True):
        assert f"{one.entry.key}.html" in row
        assert f'data-key="{one.scores["js"].value}"' in row
        assert f'data-key="{one.scores["bc"].value}"' in row
        assert f'data-key="{one.skill["js"]}"' in row
        score = one.scores["js"]
        assert f"{score.value:.3f}<small>{score.low:.3f} to {score.high:.3f}</small>" in row


def test_the_demo_has_its_own_page_and_is_in_no_other_table(site):
    assert "Demonstration." in site["corpora/demo.html"].text
    assert "Demonstration." not in site["corpora/crema_d.html"].text
    for path in ("index.html", "corpora/crema_d.html"):
        assert not any("/demo/" in str(link["href"]) for link in site[path].all("a"))
    entry = site["entries/Example-Lab__Hearing-7B/demo/direct.html"]
    assert "demonstration" in entry.text


def test_references_are_marked_as_such(site):
    for name in ("uniform", "label_prior", "split_half"):
        assert "reference, no model" in site[f"entries/reference__{name}/demo/reference.html"].text


def test_what_the_paper_reports_is_marked_as_reported(site):
    page = site["corpora/crema_d.html"]
    assert "Reported elsewhere, unverified" in page.text
    assert "0.5324" in page.text
    assert page.text.count("reported") >= 4
    assert "Nobody has submitted anything" in site["corpora/iemocap.html"].text
    assert "0.3364" in site["corpora/iemocap.html"].text


def test_an_entry_says_how_to_repeat_it(site):
    text = site["entries/Example-Lab__Hearing-7B/crema_d/sc--64-draws.html"].text
    assert "lm_eval --tasks ambi_crema_d_sc --model alm_hf" in text
    assert '"draws": 64' in text
    assert (
        "ambi validate leaderboard/submissions/Example-Lab__Hearing-7B/crema_d/sc--64-draws" in text
    )
    assert "no_answer" in text


def test_nothing_is_asked_of_any_network(written: Written, site):
    """Links to strangers' pages are followed by a click alone; all else lies in the site."""
    for path, page in site.items():
        here = written.site / path
        for tag, attributes in page.elements:
            for name in ("src", "href", "action", "srcset", "data"):
                address = attributes.get(name)
                if address is None or address.startswith("#"):
                    continue
                if "://" in address:
                    assert tag == "a", (path, address)
                    assert attributes["rel"] == "nofollow noopener noreferrer ugc"
                    continue
                assert (here.parent / unquote(address)).resolve().is_file(), (path, address)
    for style in (written.site / "assets").iterdir():
        content = style.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "://" not in content, style


def test_the_policy_allows_no_code_in_pages(site):
    for path, page in site.items():
        (policy,) = (one["content"] for one in page.all("meta") if "http-equiv" in one)
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not page.all("style")
        for tag, attributes in page.elements:
            assert "style" not in attributes, (path, tag)
            assert not any(name.startswith("on") for name in attributes), (path, tag)
            assert tag != "script" or attributes["src"], path


def test_tables_can_be_heard(site):
    for path, page in site.items():
        assert len(page.all("table")) == len(page.all("caption")), path
        assert all(one.get("scope") for one in page.all("th")), path
        regions = [one for one in page.all("div") if "scroll" in str(one.get("class"))]
        assert all(one["role"] == "region" and one["tabindex"] == "0" for one in regions)
        ids = [one["id"] for _, one in page.elements if one.get("id")]
        assert len(ids) == len(set(ids)), path
        for _, attributes in page.elements:
            if label := attributes.get("aria-labelledby"):
                assert label in ids, (path, label)
        assert page.all("html")[0]["lang"] == "en"
        levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
        assert levels.count(1) == 1
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels)), path
    sorted_by = [one for one in site["corpora/crema_d.html"].all("th") if one.get("aria-sort")]
    assert sorted_by[0]["aria-sort"] == "ascending"


def test_text_of_strangers_stays_text(written: Written):
    """Even text that the schema refuses: the pages do not rely on it."""
    group = written.of("crema_d")
    one = next(one for one in group.models if one.model.curve)
    model = one.model
    attacked = model.model_copy(
        update={
            "model": model.model.model_copy(
                update={
                    "name": ATTACK,
                    "organization": ATTACK,
                    "checkpoint": ATTACK,
                    "link": "javascript:alert(1)",
                }
            ),
            "variant": ATTACK,
            "submitter": model.submitter.model_copy(
                update={"name": ATTACK, "contact": ATTACK, "link": f"https://x.org/{ATTACK}"}
            ),
            "training": model.training.model_copy(update={"note": ATTACK}),
            "parsing": model.parsing.model_copy(update={"failures": {ATTACK: 3}}),
            "software": {ATTACK: ATTACK},
            "compute": model.compute.model_copy(update={"hardware": ATTACK}),
        }
    )
    finding = Finding("warning", ATTACK, ATTACK, ATTACK)
    entry = replace(one.entry, submission=attacked, warnings=(finding,))
    hostile = replace(group, models=(replace(one, entry=entry), *group.models[1:]))
    seen = 0
    for path, text in pages([hostile], [finding]):
        page = Page(text)
        assert {attributes["src"].rpartition("/")[2] for attributes in page.all("script")} == {
            "theme.js",
            "site.js",
        }, path
        assert not page.all("img"), path
        for attributes in page.all("a"):
            assert not str(attributes["href"]).lower().startswith("javascript"), path
        for _, attributes in page.elements:
            assert not any(name.startswith("on") for name in attributes), path
        assert "7006652" not in text, path
        seen += page.text.count("<script>alert(1)</script>")
    assert seen > 10


def test_refused_submissions_are_named(written: Written):
    finding = Finding("fault", "X__Y/demo/sc/submission.json", "model.name", "is no name")
    text = dict(pages(written.found, [finding]))["index.html"]
    assert "X__Y/demo/sc/submission.json: model.name: is no name." in text


def test_colours_have_enough_contrast(written: Written):
    """WCAG 2.2: 4.5 to 1 for text, 3 to 1 for the borders of fields."""
    style = (written.site / "assets/site.css").read_text(encoding="utf-8")
    blocks = re.findall(r"\{[^{}]*--page:[^{}]*\}", style)
    assert len(blocks) == 3  # light, dark by choice, dark by the system
    for block in blocks:
        colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
        for ink in ("ink", "soft", "link"):
            for ground in ("page", "panel"):
                assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
        assert contrast(colours["good-ink"], colours["good"]) >= 4.5
        assert contrast(colours["warning-ink"], colours["warning"]) >= 4.5
        assert contrast(colours["field"], colours["page"]) >= 3
    assert blocks[1].split("{")[1].split() == blocks[2].split("{")[1].split()


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG's relative luminances."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_files_of_submissions_are_copied_as_they_are(written: Written):
    for entry in written.board.entries:
        there = written.source / "submissions" / entry.key
        here = written.site / "data/submissions" / entry.key
        names = {path.name for path in there.iterdir()}
        assert {path.name for path in here.iterdir()} == names
        assert all((here / name).read_bytes() == (there / name).read_bytes() for name in names)
        assert isinstance(here, Path)


@pytest.mark.parametrize(
    "change",
    [
        {"scores": {}, "strata": {}},
        {"curve": [CurvePoint(metric="no_such", draws=3, score=1e15)]},
        {"curve": [CurvePoint(metric=name, draws=100_000, score=0.5) for name in all_metrics()]},
        {"parsing": ParsingRecord(answered=0, draws=0, parsed=0)},
        {"compute": ComputeRecord(tokens=2**53)},
        {"compute": ComputeRecord(tokens=0)},
        {"seeds": {}, "software": {}, "decoding": {}, "prompts": []},
    ],
    ids="-".join,
)
@pytest.mark.filterwarnings("ignore:constrained_layout not applied")
def test_what_a_submission_may_say_breaks_no_page(written: Written, change):
    """One odd entry must not keep the others from being shown."""
    entries = []
    for entry in written.board.entries:
        if entry.key.endswith("Hearing-7B/crema_d/sc"):
            submission = entry.submission.model_copy(update=change)
            entries.append(replace(entry, submission=submission, truth=None))
        else:
            entries.append(entry)
    found = standings(entries, DAY, resamples=10)
    assert len(list(pages(found, []))) == len(list(written.site.rglob("*.html")))
    downloads(found)


def test_references_without_the_primary_metric_break_no_page(written: Written):
    entries = []
    for entry in written.board.entries:
        if entry.is_reference:
            scores = {"bc": entry.submission.scores["bc"]}
            submission = entry.submission.model_copy(update={"scores": scores, "strata": {}})
            entry = replace(entry, submission=submission, truth=None)  # noqa: PLW2901
        entries.append(entry)
    found = standings(entries, DAY, resamples=10)
    assert len(list(pages(found, []))) == len(list(written.site.rglob("*.html")))
