"""The picture of curves: what is drawn, and that it is one that can be read."""

import struct
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ambi_tasks.report.curve import Point
from ambi_tasks.report.curve_plot import draw_curves


def curve(level: float, metrics: tuple[str, ...] = ("js",), tokens: bool = True) -> list[Point]:
    return [
        Point(metric, n, 40.0 * n if tokens else None, level, level - 0.01 * n, 1, True, 5)
        for metric in metrics
        for n in (1, 2, 4, 8)
    ]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were saved."""
    saved: list[Figure] = []
    save = Figure.savefig

    def remember(figure: Figure, *args: object, **kwargs: object) -> None:
        saved.append(figure)
        save(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", remember)
    return saved


def solid(axes: Axes) -> list[list[float]]:
    return [list(line.get_xdata()) for line in axes.lines if line.get_linestyle() == "-"]


def test_one_line_per_task_against_draws_and_tokens(tmp_path: Path, figures: list[Figure]) -> None:
    draw_curves({"ambi_demo_sc": curve(0.5), "ambi_demo_almv": curve(0.4)}, tmp_path / "c.png")
    content = (tmp_path / "c.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", content[16:24])
    assert width > height > 400
    left, right = figures[0].axes
    assert solid(left) == [[1, 2, 4, 8]] * 2
    assert solid(right) == [[40, 80, 160, 320]] * 2
    assert (left.get_xlabel(), left.get_ylabel()) == ("draws per utterance", "js (lower is better)")
    assert right.get_xlabel() == "generated tokens per utterance"
    assert left.get_xscale() == right.get_xscale() == "log"
    (legend,) = figures[0].legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names[:2] == ["ambi_demo_sc", "ambi_demo_almv"]
    colours = [line.get_color() for line in left.lines if line.get_linestyle() == "-"]
    assert len(set(colours)) == 2


def test_dollars_in_a_name_are_no_formula(tmp_path: Path) -> None:
    draw_curves({r"t, $\frac$": curve(0.5), "t, other": curve(0.4)}, tmp_path / "c.png")
    assert (tmp_path / "c.png").is_file()


def test_a_row_for_each_metric_with_its_direction(tmp_path: Path, figures: list[Figure]) -> None:
    draw_curves({"t": curve(0.5, ("js", "bc"))}, tmp_path / "c.png")
    labels = [axes.get_ylabel() for axes in figures[0].axes]
    assert labels == ["js (lower is better)", "", "bc (higher is better)", ""]


def test_without_tokens_there_is_no_right_half(tmp_path: Path, figures: list[Figure]) -> None:
    draw_curves({"t": curve(0.5, tokens=False)}, tmp_path / "c.png")
    assert len(figures[0].axes) == 1


def test_curves_with_tokens_beside_some_without(tmp_path: Path, figures: list[Figure]) -> None:
    draw_curves({"a": curve(0.5, tokens=False), "b": curve(0.4)}, tmp_path / "c.png")
    left, right = figures[0].axes
    assert (len(solid(left)), len(solid(right))) == (2, 1)
    assert left.lines[-1].get_color() == right.lines[-1].get_color()


def test_no_tokens_at_all_were_generated(tmp_path: Path, figures: list[Figure]) -> None:
    none = [Point("js", n, 0.0, 0.3, 0.3, 1, True, 2) for n in (1, 2)]
    draw_curves({"t": none}, tmp_path / "c.png")
    assert len(figures[0].axes) == 1


def test_the_same_curves_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw_curves({"t": curve(0.5)}, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_legend_has_room_below_the_axes(tmp_path: Path, figures: list[Figure]) -> None:
    names = [f"ambi_msp_podcast_strategy{n}, some/long-model-name-7B-Instruct" for n in range(16)]
    draw_curves({name: curve(0.3 + 0.01 * n) for n, name in enumerate(names)}, tmp_path / "c.png")
    figure = figures[0]
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    for axes in figure.axes:
        assert axes.get_tightbbox().y0 >= box.y1 - 5  # of 848 pixels
        assert axes.get_window_extent().height > 200
