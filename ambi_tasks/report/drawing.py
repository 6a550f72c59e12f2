"""How a figure of a report is drawn: one style, and one picture for page and paper."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from ambi_tasks.report.palette import BLUE, INK, SKY

GREY = "#808080"

_DPI = 160

_STYLE: Any = {
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
    "text.parse_math": False,  # a model's name may hold dollars
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK
    ),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure, drawn.

    Attributes:
        name: Of its files.
        caption: What it shows.
        svg: The picture as text.
        png: The same in pixels, on white; empty where nobody asked for them.
    """

    name: str
    caption: str
    svg: str
    png: bytes


def drawn(
    name: str,
    caption: str,
    size: tuple[float, float],
    draw: Callable[[Canvas], None],
    *,
    pixels: bool = True,
) -> Figure:
    """Draw a figure.

    Args:
        name: Of its files.
        caption: What it shows.
        size: Width and height in inches.
        draw: Fills an empty one.
        pixels: Whether to make the PNG, which takes longer than all else.
    """
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        canvas = Canvas(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06))
        FigureCanvasAgg(canvas)  # whatever the environment names, no window is opened
        draw(canvas)
        svg, png = io.StringIO(), io.BytesIO()
        canvas.savefig(svg, format="svg", transparent=True, metadata={"Date": None})
        if pixels:
            canvas.set_layout_engine("none")  # it is laid out; pixels change nothing about that
            metadata = {"Software": None}
            canvas.savefig(png, format="png", dpi=_DPI, facecolor="white", metadata=metadata)
    return Figure(name, caption, _own_ids(svg.getvalue(), name), png.getvalue())


def picture(figure: Figure) -> Markup:
    """The picture, in the page's own colours, with its words for those who do not see it.

    Args:
        figure: Whose texts matplotlib has escaped.
    """
    svg = figure.svg
    for colour, own in ((INK, "currentColor"), (BLUE, "var(--blue)"), (SKY, "var(--sky)")):
        svg = svg.replace(colour.lower(), own)
    title = Markup('<svg role="img" aria-label="{}" ').format(figure.caption)
    return Markup(svg.replace("<svg ", title, 1))  # noqa: S704 - matplotlib escapes its texts


def _own_ids(svg: str, name: str) -> str:
    """Only the picture, its ids begun with its name: a page holds many, and an id must be one's."""
    picture = svg[svg.index("<svg") :]
    picture = re.sub(r'\bid="', f'id="{name}-', picture)
    picture = re.sub(r'href="#', f'href="#{name}-', picture)
    picture = re.sub(r"url\(#", f"url(#{name}-", picture)
    return re.sub(r"<metadata>.*?</metadata>", "", picture, flags=re.DOTALL)


def grid(axes: Axes, axis: Any = "both") -> None:
    """Lines behind the marks."""
    axes.grid(axis=axis, color=GREY, alpha=0.25, linewidth=0.7)
    axes.set_axisbelow(True)


def legend(canvas: Canvas, count: int) -> None:
    """Below, where there is more than one run."""
    if count > 1:
        canvas.legend(loc="outside lower center", ncols=min(count, 3), frameon=False, fontsize=8)


def log_axis(axes: Axes) -> None:
    """Powers of two along x; fewer of them below 1, whose labels are long."""
    axes.set_xscale("log", base=2)
    small = axes.get_xlim()[0] < 0.5  # noqa: PLR2004 - the first tick is a fraction
    axes.xaxis.set_major_locator(LogLocator(base=2, numticks=4 if small else 8))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:,.2g}" if value < 1 else f"{value:,.3g}")
    )
