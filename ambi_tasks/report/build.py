"""From logs to a folder: the page, the figures, the tables."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ambi_tasks.errors import UserError
from ambi_tasks.metrics import get_metric
from ambi_tasks.report.analysis import STEPS, Settings, analyse
from ambi_tasks.report.comparable import Group, comparable_groups
from ambi_tasks.report.naming import slugs
from ambi_tasks.report.page import Report, overview, render, section
from ambi_tasks.report.reading import read_runs
from ambi_tasks.report.sample_log import Logs

Step = Callable[[str, int, int], None]
"""Is told what is done, how much of it, and how much there is in all."""


@dataclass(frozen=True, slots=True)
class Built:
    """What was written.

    Attributes:
        page: The HTML page.
        figures: How many figures, each as PNG and SVG.
        tables: How many tables, each as CSV and LaTeX.
        runs: How many runs are in the report.
        left_out: A sentence for each run that is not, because of what is wrong with it.
        apart: A sentence for each group of runs that stands apart from others of its corpus.
    """

    page: Path
    figures: int
    tables: int
    runs: int
    left_out: tuple[str, ...]
    apart: tuple[str, ...]


def merge_logs(found: Sequence[Logs]) -> Logs:
    """The logs of several folders, each file once.

    Args:
        found: In the order of the folders.
    """
    tasks = {log.path.resolve(): log for one in found for log in one.tasks}
    return Logs(
        tuple(tasks.values()),
        tuple(dict.fromkeys(sentence for one in found for sentence in one.skipped)),
        tuple(dict.fromkeys(sentence for one in found for sentence in one.broken)),
    )


def build_report(
    logs: Logs,
    folder: Path,
    settings: Settings,
    *,
    workers: int = 1,
    step: Step = lambda *_: None,
) -> Built:
    """Read, compute, draw and write a report.

    Args:
        logs: What it is about.
        folder: Where to; `index.html`, `figures` and `tables` are written there.
        settings: What the user chose.
        workers: Processes that read large logs; with more than one, the program that calls this
            must be one that `multiprocessing` can import.
        step: Is told how far it is.

    Raises:
        UserError: No run can be read, or the folder cannot be written.
    """
    get_metric(settings.primary)
    runs, broken = read_runs(
        logs.tasks, workers=workers, step=lambda done: step("Logs", done, len(logs.tasks))
    )
    left_out = (*logs.broken, *broken)
    if not runs:
        raise UserError(f"No run can be read. {' '.join(left_out)}")
    groups = comparable_groups(runs)
    _check_primary(groups, settings)
    analyses = []
    for number, (group, slug, suffix) in enumerate(_named(groups)):
        analyses.append(
            analyse(
                group,
                slug,
                settings,
                suffix=suffix,
                step=_counting(step, f"{slug}:", number * STEPS, len(groups) * STEPS),
            )
        )
    sections = []
    for number, analysis in enumerate(analyses):
        step("Figures", number, len(analyses) + 1)
        sections.append(section(analysis))
    step("Figures", len(analyses), len(analyses) + 1)
    report = Report(
        sections,
        overview(analyses),
        left_out,
        logs.skipped,
        {"seed": str(settings.seed), "resamples": f"{settings.resamples:,}"},
    )
    page = _write(report, folder, step)
    return Built(
        page,
        sum(len(block.figures) for block in report.blocks),
        sum(len(block.tables) for block in report.blocks),
        len(runs),
        left_out,
        tuple(sentence for group in groups for sentence in group.apart),
    )


def _check_primary(groups: Sequence[Group], settings: Settings) -> None:
    for group in groups:
        for one in group.runs:
            known = [metric.name for metric in one.run.metrics(one.metrics)]
            if settings.primary not in known:
                raise UserError(
                    f"Runs cannot be ordered by '{settings.primary}', since '{one.run.name}' does "
                    f"not have it; there are {', '.join(known)}."
                )


def _named(groups: Sequence[Group]) -> list[tuple[Group, str, str]]:
    """Each group with what begins the names of its files, and with what ends its title."""
    several = Counter(group.corpus for group in groups)
    seen: Counter[str] = Counter()
    suffixes = []
    for group in groups:
        seen[group.corpus] += 1
        alone = several[group.corpus] == 1
        suffixes.append("" if alone else f", group {seen[group.corpus]}")
    names = slugs([group.corpus for group in groups])
    return list(zip(groups, names, suffixes, strict=True))


def _counting(step: Step, prefix: str, start: int, total: int) -> Callable[[str], None]:
    done = iter(range(start, start + STEPS))
    return lambda what: step(f"{prefix} {what}", next(done), total)


def _write(report: Report, folder: Path, step: Step) -> Path:
    step("Files", 0, 1)
    page = folder / "index.html"
    try:
        for name in ("figures", "tables"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for block in report.blocks:
            for figure in block.figures:
                path = folder / "figures" / figure.name
                path.with_name(f"{figure.name}.svg").write_text(figure.svg, encoding="utf-8")
                path.with_name(f"{figure.name}.png").write_bytes(figure.png)
            for table in block.tables:
                path = folder / "tables" / table.name
                path.with_name(f"{table.name}.csv").write_text(table.to_csv(), encoding="utf-8")
                path.with_name(f"{table.name}.tex").write_text(table.to_latex(), encoding="utf-8")
        page.write_text(render(report), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error}).") from error
    step("Files", 1, 1)
    return page
