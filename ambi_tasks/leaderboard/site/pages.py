"""Numbers -> pages. Every text of a submission is a stranger's: Jinja escapes all of them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

import jinja2

import ambi_tasks
from ambi_tasks.leaderboard.exports.readme_table import REFERENCE_NAMES
from ambi_tasks.leaderboard.reading import Finding
from ambi_tasks.leaderboard.site.compute import UNITS, cost_of
from ambi_tasks.leaderboard.site.corpus_page import corpus_view
from ambi_tasks.leaderboard.site.entry_page import entry_view
from ambi_tasks.leaderboard.site.index_page import BoardPage, index_view
from ambi_tasks.leaderboard.site.overall import is_demonstration
from ambi_tasks.leaderboard.site.standings import BASELINE, PRIMARY, STRATUM_METRICS, Standings
from ambi_tasks.leaderboard.site.wording import (
    SHOWN_STATUS,
    arrowed,
    corpus_title,
    entry_path,
    in_order,
    is_web_address,
    rounded,
    size_text,
    span_text,
    summary,
)
from ambi_tasks.leaderboard.truth import board_corpora
from ambi_tasks.report.published import published
from ambi_tasks.report.table import p_text
from ambi_tasks.statistics.paired import ALPHA

POLICY = (
    # `file:` is for those who open the pages from a folder, where not every browser takes a file
    # for its own neighbour.
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' file:; "
    "base-uri 'none'; form-action 'none'"
)

ASSETS = ("site.css", "site.js", "theme.js", "icon.svg")


def pages(found: Sequence[Standings], refused: Sequence[Finding]) -> Iterator[tuple[str, str]]:
    """All pages.

    Args:
        found: All entries of the board.
        refused: Why others are not on it.

    Yields:
        Path of a page, and its HTML.
    """
    boards = _boards(found)
    environment = _environment(boards)
    by_corpus = {name: [one for one in found if one.corpus.name == name] for name in boards}

    def page(template: str, path: str, view: Any) -> tuple[str, str]:
        root = "../" * path.count("/")
        text = environment.get_template(template).render(page=view, here=path, root=root)
        # Line ends between elements would be half of the nodes that a browser has to make.
        return path, text.replace(">\n<", "><")

    yield page("index.html.j2", "index.html", index_view(found, boards, refused))
    for name, board in boards.items():
        yield page("corpus.html.j2", board.path, corpus_view(name, by_corpus[name]))
        for group in by_corpus[name]:
            for one in group.everybody:
                yield page(
                    "entry.html.j2", entry_path(one.entry.key), entry_view(one, group, board)
                )


def _boards(found: Sequence[Standings]) -> dict[str, BoardPage]:
    """The corpora that have a page: those with entries or published numbers; the demo last."""
    known = {one.corpus.name for one in found} | set(published().scores)
    names = [name for name in board_corpora() if name in known]
    names.sort(key=is_demonstration)
    return {name: BoardPage(f"corpora/{name}.html", corpus_title(name)) for name in names}


def _environment(boards: Mapping[str, BoardPage]) -> jinja2.Environment:
    place = files("ambi_tasks.leaderboard.site") / "assets"
    names = ("base", "macros", "index", "corpus", "entry")
    sources = {f"{name}.html.j2": (place / f"{name}.html.j2").read_text("utf-8") for name in names}
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(sources),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "number": rounded,
        "p_text": p_text,
        "arrowed": arrowed,
        "in_order": in_order,
        "cost": cost_of,
        "entry_path": entry_path,
        "shown_reference": REFERENCE_NAMES.__getitem__,
        "shown_status": SHOWN_STATUS.__getitem__,
        "size": size_text,
        "span": span_text,
        "summary": summary,
    }
    environment.tests |= {
        "nan": lambda value: isinstance(value, float) and math.isnan(value),
        "web_address": is_web_address,
    }
    environment.globals |= {
        "alpha": ALPHA,
        "baseline": BASELINE,
        "boards": list(boards.values()),
        "policy": POLICY,
        "primary": PRIMARY,
        "stratum_metrics": STRATUM_METRICS,
        "units": UNITS,
        "version": ambi_tasks.__version__,
    }
    return environment
