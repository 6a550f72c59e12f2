import re
from pathlib import Path

import pytest

import ambi_tasks
from ambi_tasks.metrics import all_metrics
from ambi_tasks.metrics.documentation import INDEX, MODULES, main, modules, pages, write

PAGES = Path(ambi_tasks.__file__).parents[1] / "docs" / "metrics"
RENEW = "renew it: python -m ambi_tasks.metrics.documentation docs/metrics"


@pytest.mark.parametrize(("folder", "made"), [(PAGES, pages()), (MODULES, modules())])
def test_what_is_there_is_what_would_be_made(folder, made):
    there = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.*")
        if "__pycache__" not in path.parts
    }

    assert there == made, RENEW


@pytest.mark.parametrize("metric", all_metrics().values(), ids=lambda metric: metric.name)
def test_a_page_says_it_all(metric):
    page = pages()[f"{metric.name}.md"]

    for part in (
        "* Range: ",
        "* Better: ",
        "## Definition\n\n",
        "## Example",
        "\n>>> ",
        "## Source",
    ):
        assert part in page
    assert f"from ambi_tasks.metrics import {metric.function.__name__}" in page
    assert "Args:" not in page
    for name, default in metric.options.items():
        assert re.search(rf"^\| `{name}` \| `{default!r}` \| \S", page, flags=re.MULTILINE)
    assert f"[`{metric.name}`]({metric.name}.md)" in pages()[INDEX]


def test_writing_removes_what_is_no_more(tmp_path):
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "gone.py").write_text("")
    (tmp_path / "data.csv").write_text("")
    write(tmp_path, {"js/js.py": "1\n"})

    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert files == {"js/js.py", "data.csv"}


def test_the_command_renews(tmp_path):
    main([str(tmp_path)])

    assert {path.name for path in tmp_path.iterdir()} == set(pages())
