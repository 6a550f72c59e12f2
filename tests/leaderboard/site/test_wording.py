"""How numbers and names are said, and where a link may lead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks.leaderboard.site.wording import in_order, is_web_address, rounded, size_text
from ambi_tasks.metrics import all_metrics


@pytest.mark.parametrize("address", ["https://example.org/a?b=c#d", "http://example.org:8080"])
def test_links_lead_to_the_web(address: str):
    assert is_web_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JavaScript://example.org/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "//example.org",
        "example.org",
        "https://",
        "https:example.org",
        "mailto:jane@example.org",
        "http://[half",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "",
    ],
)
def test_and_nowhere_else(address: str):
    assert not is_web_address(address)


@given(st.integers(1, 10**14))
def test_a_size_is_said_with_three_digits(parameters: int):
    text = size_text(parameters)
    scale = {"T": 10**12, "B": 10**9, "M": 10**6, "K": 10**3}.get(text[-1], 1)
    assert "e" not in text
    number = float(text.rstrip("TBMK"))
    assert number * scale == pytest.approx(parameters, rel=0.0051)


@given(st.floats(-10, 10), st.integers(0, 4))
def test_zeros_have_no_sign(value: float, digits: int):
    text = rounded(value, digits)
    assert float(text) == pytest.approx(value, abs=0.5001 * 10**-digits)
    assert not (text.startswith("-") and float(text) == 0)


def test_metrics_stand_in_one_order_each_once():
    names = list(all_metrics())
    found = in_order([*names, *names])
    assert sorted(found) == sorted(names)
    assert found[:4] == ["js", "bc", "r2", "acc"]
