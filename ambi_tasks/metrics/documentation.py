"""The pages in docs/metrics and the modules for `evaluate`, made from registry and docstrings.

To renew both: `python -m ambi_tasks.metrics.documentation docs/metrics`.
"""

import inspect
import math
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ambi_tasks.metrics.registry import Metric, all_metrics

MODULES = Path(__file__).parent / "evaluate_modules"
"""One folder for each metric, as `evaluate.load` wants it: `<name>/<name>.py`."""

INDEX = "README.md"

_SECTION = re.compile(r"^(Args|Returns|Raises|Source):$", re.MULTILINE)
_ARGUMENT = re.compile(r"^(\w+): ", re.MULTILINE)
_LEVELS = {
    "utterance": "one value per utterance; a corpus has their mean",
    "corpus": "one value of all utterances together",
}
_ARRAYS = {
    "distributions": "the annotators' and the model's distributions, (N, K) each",
    "draws": "draws that could be read, and draws; (N,) each",
    "verdicts": "verdicts that gave a score, and verdicts; (N,) each",
}


def pages() -> dict[str, str]:
    """File name -> content, for each metric and the index."""
    found = {f"{metric.name}.md": page(metric) for metric in all_metrics().values()}
    return found | {INDEX: index()}


def index() -> str:
    """The page that lists all metrics."""
    lines = [
        "# Metrics",
        "",
        _MADE,
        "",
        _INTRODUCTION,
        "",
        "| metric | what it is | of | range | better | options |",
        "|---|---|---|---|---|---|",
    ]
    for metric in all_metrics().values():
        cells = (
            f"[`{metric.name}`]({metric.name}.md)",
            _summary(metric).rstrip("."),
            metric.level,
            _range(metric),
            _direction(metric),
            ", ".join(f"`{name}`" for name in metric.options),
        )
        lines.append("| " + " | ".join(one.replace("|", "\\|") for one in cells) + " |")
    return "\n".join(lines) + "\n"


def page(metric: Metric) -> str:
    """The page of a metric.

    Args:
        metric: The metric.
    """
    text, sections, example = _parts(metric)
    summary, _, definition = text.partition("\n\n")
    name = metric.function.__name__
    lines = [
        f"# `{metric.name}`",
        "",
        _MADE,
        "",
        f"**{' '.join(summary.split())}**",
        "",
        f"* Function: `from ambi_tasks.metrics import {name}`",
        f"* Takes: {_ARRAYS[metric.needs]}"
        + ("; and `labels`, the names of the classes" * metric.takes_labels),
        f"* Gives: {_LEVELS[metric.level]}",
        f"* Range: {_range(metric)}",
        f"* Better: {_direction(metric)}",
        "",
        "## Definition",
        "",
        definition.strip(),
        "",
        *_option_lines(metric, _arguments(sections["Args"])),
        "## Example",
        "",
        "```python",
        f">>> from ambi_tasks.metrics import {name}",
        example.strip(),
        "```",
        "",
        "## Source",
        "",
        sections["Source"].strip(),
    ]
    return "\n".join(lines) + "\n"


def modules() -> dict[str, str]:
    """Path below `MODULES` -> content, for each metric."""
    return {
        f"{metric.name}/{metric.name}.py": _MODULE.format(name=metric.name)
        for metric in all_metrics().values()
    }


_INTRODUCTION = (
    "Each is one pure function on numpy arrays (`from ambi_tasks.metrics import jensen_shannon`), "
    "a row of every result ([results.md](../results.md)), and a module of the library `evaluate`: "
    "`evaluate.load(path)` with a folder in the one that `ambi metrics-path` prints, such as "
    "`.../js`; nothing is downloaded."
)

_MADE = "<!-- Made by `python -m ambi_tasks.metrics.documentation docs/metrics`; do not edit. -->"

_MODULE = '''\
"""`{name}` for `evaluate.load`; made by `python -m ambi_tasks.metrics.documentation`."""

from ambi_tasks.evaluate_module import module_class

Module = module_class("{name}")
'''


def _parts(metric: Metric) -> tuple[str, dict[str, str], str]:
    """The docstring's text, its sections without indentation, and its example."""
    text, _, example = (inspect.getdoc(metric.function) or "").partition("\n>>> ")
    body, *rest = _SECTION.split(text)
    sections = dict(zip(rest[::2], map(inspect.cleandoc, rest[1::2]), strict=True))
    return body, sections, f">>> {example}"


def _arguments(section: str) -> dict[str, str]:
    _, *rest = _ARGUMENT.split(section)
    return {name: " ".join(text.split()) for name, text in zip(rest[::2], rest[1::2], strict=True)}


def _option_lines(metric: Metric, meanings: Mapping[str, str]) -> list[str]:
    if not metric.options:
        return []
    example = f'{{"metrics": {{"{metric.name}": {{"{next(iter(metric.options))}": ...}}}}}}'
    rows = [
        f"| `{name}` | `{default!r}` | {meanings[name].replace('|', chr(92) + '|')} |"
        for name, default in metric.options.items()
    ]
    return [
        "## Options",
        "",
        f"Keyword arguments of the function; in a run `--metadata '{example}'`.",
        "",
        "| option | default | meaning |",
        "|---|---|---|",
        *rows,
        "",
    ]


def _summary(metric: Metric) -> str:
    return " ".join(_parts(metric)[0].partition("\n\n")[0].split())


def _range(metric: Metric) -> str:
    low, high = metric.bounds
    if math.isinf(high):
        return f"from {low:g}"
    return f"{low:g} to {high:.3g}"


def _direction(metric: Metric) -> str:
    return "higher" if metric.higher_is_better else "lower"


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder, and remove those of metrics that are no more.

    Args:
        folder: Where to.
        files: Path below it -> content.
    """
    for path in folder.rglob("*"):
        if path.suffix in (".md", ".py") and path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def main(arguments: Sequence[str]) -> None:
    """Renew the pages and the modules.

    Args:
        arguments: The folder of the pages.
    """
    (folder,) = arguments
    write(Path(folder), pages())
    write(MODULES, modules())


if __name__ == "__main__":
    main(sys.argv[1:])
