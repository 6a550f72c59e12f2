"""The page on statistics: its example prints what stands below it."""

import contextlib
import io
import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "statistics.md"


def test_the_example_prints_what_the_page_shows():
    page = PAGE.read_text(encoding="utf-8")
    script, shown = re.search(
        r"^```python\n(.*?)^```\n\n```\n(.*?)^```$", page, re.S | re.M
    ).groups()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(script, str(PAGE), "exec"), {})
    number = r"\d\.\d+"
    found = printed.getvalue()

    assert re.sub(number, "N", found) == re.sub(number, "N", shown)
    for one, other in zip(re.findall(number, found), re.findall(number, shown), strict=True):
        # Another release of numpy may draw other numbers.
        assert abs(float(one) - float(other)) <= 0.01
