"""`ambi submit` and `ambi validate`: onto the leaderboard, and what is checked on the way."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from ambi_tasks.cli.console import (
    DIFFERENCE_FOUND,
    new_console,
    new_table,
    progress_bar,
    run_metadata,
    user_errors,
)
from ambi_tasks.cli.results import Results, watched
from ambi_tasks.errors import UserError

if TYPE_CHECKING:
    from ambi_tasks.leaderboard.reading import Finding
    from ambi_tasks.leaderboard.validation import Examined

WARNINGS_FOUND = 2
"""Exit code of `validate`: no fault, but something that a person should look at."""

BoardFolder = Annotated[
    Path, typer.Option("--board", metavar="DIR", help="The folder that holds submissions/.")
]
DEFAULT_BOARD = Path("leaderboard")


def submit(
    results: Results,
    *,
    name: Annotated[str, typer.Option(help="The model's name, for people.")],
    org: Annotated[str, typer.Option(help="Who made the model.")],
    contact: Annotated[str, typer.Option(help="Where questions reach you; public.")],
    by: Annotated[str, typer.Option(help="Who you are; public.  [default: --org]")] = "",
    link: Annotated[
        str | None, typer.Option(help="Paper, model card or blog post; public.")
    ] = None,
    parameters: Annotated[
        int | None, typer.Option(metavar="N", help="Of the model, encoders included.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="open or closed.  [default: closed for alm_api, else open]"),
    ] = None,
    saw_corpus: Annotated[
        str,
        typer.Option(help="Was the model trained on the corpus? no, audio, labels or unknown."),
    ] = "unknown",
    note: Annotated[str | None, typer.Option(help="What is known of that.")] = None,
    hardware: Annotated[str | None, typer.Option(help="Such as '1 H100'.")] = None,
    variant: Annotated[
        str | None,
        typer.Option(help="Tells apart entries of one model, corpus and strategy: 32-draws."),
    ] = None,
    texts: Annotated[
        bool | None,
        typer.Option(
            "--texts/--no-texts",
            help="The answers too.  [default: where the corpus's licence lets them be published]",
        ),
    ] = None,
    board: BoardFolder = DEFAULT_BOARD,
) -> None:
    """Turn a finished run into submissions to the leaderboard (docs/leaderboard.md).

    Every task of the run becomes a folder under submissions/, which a pull request then adds.
    """
    from ambi_tasks.leaderboard import making  # noqa: PLC0415 - numpy is slow
    from ambi_tasks.leaderboard.reading import read_submission  # noqa: PLC0415
    from ambi_tasks.leaderboard.validation import examine  # noqa: PLC0415
    from ambi_tasks.leaderboard.writing import write_submission  # noqa: PLC0415

    with user_errors():
        details = making.Details(
            name=name,
            organization=org,
            weights=_one_of("weights", weights, ("open", "closed")),
            parameters=parameters,
            link=link,
            saw_corpus=_one_of("saw-corpus", saw_corpus, ("no", "audio", "labels", "unknown")),
            note=note,
            hardware=hardware,
            variant=variant,
            texts=texts,
        )
        submitter = making.make_submitter(name=by or org, contact=contact, link=link)
        with watched() as watch:
            made = list(making.submissions_of(results, details, submitter, watch))
        folders = [write_submission(board, submission, tables) for submission, tables in made]
        found = [examine(read_submission(folder)) for folder in folders]
    console = new_console()
    for folder in folders:
        console.print(f"Written: {folder}")
    for examined in found:
        console.print(*map(str, examined.findings), sep="\n", end="\n" * bool(examined.findings))
    console.print("Look at every file before you publish it; then open a pull request.")
    if any(one.entry is None for one in found):
        raise typer.Exit(DIFFERENCE_FOUND)


def _one_of(name: str, value: str | None, known: Sequence[str]) -> Any:
    if value is not None and value not in known:
        raise UserError(f"--{name} is one of {', '.join(known)}; not '{value}'.")
    return value


def validate(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH...",
            help="Folders of submissions: <org>__<model>/<corpus>/<strategy>, or any above.",
        ),
    ] = None,
    *,
    changes: Annotated[
        str | None,
        typer.Option(
            metavar="BASE...HEAD",
            help="In place of paths: the submissions of this git repository that HEAD changes.",
        ),
    ] = None,
    metadata: Annotated[
        str | None,
        typer.Option(
            "--metadata",
            metavar="JSON",
            help="Where corpora lie, as for lm_eval; or CREMA_D_ROOT and its like.",
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A board to compare with; it holds submissions/."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the verdict as Markdown, for a comment."),
    ] = None,
) -> None:
    """Recompute submissions, and say all that is wrong with them.

    The exit code is 0 where all is well, 1 where there is a fault, 2 where there are warnings.
    """
    from ambi_tasks.leaderboard.board import look_alike, read_board, twin  # noqa: PLC0415 - numpy is slow
    from ambi_tasks.leaderboard.comment import markdown_comment  # noqa: PLC0415
    from ambi_tasks.leaderboard.reading import read_submission  # noqa: PLC0415
    from ambi_tasks.leaderboard.validation import examine  # noqa: PLC0415

    with user_errors(DIFFERENCE_FOUND), tempfile.TemporaryDirectory() as scratch:
        roots = run_metadata("", None, metadata)
        folders, stray = _wanted(paths or [], changes, Path(scratch))
        with progress_bar() as bar:
            examined = [
                examine(read_submission(folder), roots)
                for folder in bar.track(folders, description="Submissions")
            ]
        present = read_board(against, roots, thorough=False) if against else None
        seen: dict[str, str] = {}
        for entry in (one.entry for one in examined if one.entry):
            alike = look_alike(entry, present) if present else None
            stray += filter(None, (twin(entry, seen), alike))
        if report is not None:
            text = markdown_comment(examined, stray, present)
            try:
                report.write_text(text, encoding="utf-8")
            except OSError as error:
                raise UserError(f"{report} cannot be written ({error.strerror}).") from error
    findings = [*stray, *(finding for one in examined for finding in one.findings)]
    _print_verdict(examined, stray)
    if any(one.severity == "fault" for one in findings):
        raise typer.Exit(DIFFERENCE_FOUND)
    if findings:
        raise typer.Exit(WARNINGS_FOUND)


def _wanted(
    paths: Sequence[Path], changes: str | None, scratch: Path
) -> "tuple[list[Path], list[Finding]]":
    """The folders to look at, and what was found on the way to them."""
    from ambi_tasks.leaderboard.board import find_submissions  # noqa: PLC0415
    from ambi_tasks.leaderboard.changes import take_changes  # noqa: PLC0415
    from ambi_tasks.leaderboard.reading import Finding  # noqa: PLC0415

    if bool(paths) == (changes is not None):
        raise UserError("Name folders of submissions, or --changes BASE...HEAD.")
    if changes is None:
        found = [one for path in paths for one in find_submissions(path)]
        stray = [one for one in found if isinstance(one, Finding)]
        return [one for one in found if isinstance(one, Path)], stray
    base, dots, head = changes.partition("...")
    if not (base and dots and head):
        raise UserError(f"--changes is BASE...HEAD, two commits, not '{changes}'.")
    taken = take_changes(Path.cwd(), base, head, scratch)
    return list(taken.folders), list(taken.findings)


def _print_verdict(examined: "Sequence[Examined]", stray: "Sequence[Finding]") -> None:
    console = new_console()
    if not examined and not stray:
        console.print("There is no submission to look at.")
    for finding in stray:
        console.print(_sentence(finding))
    for one in examined:
        if one.entry is None:
            console.print(Text(f"{one.reading.key}: refused", style="bold red"))
        else:
            console.print(Text(f"{one.entry.key}: {one.entry.status}", style="green"))
            console.print(_scores(one))
        for finding in one.findings:
            console.print(_sentence(finding))


def _sentence(finding: "Finding") -> Text:
    style = "red" if finding.severity == "fault" else "yellow"
    return Text(f"{finding.severity}: {finding}", style=style)


def _scores(examined: "Examined") -> Table:
    from ambi_tasks.leaderboard.scores import entry_scores  # noqa: PLC0415 - numpy is slow

    assert examined.entry is not None
    table = new_table("metric", "value", "95 % interval")
    for name, record in sorted(entry_scores(examined.entry).items()):
        if record.value is not None:
            known = record.low is not None and record.high is not None
            interval = f"{record.low:.4f} to {record.high:.4f}" if known else "-"
            table.add_row(name, f"{record.value:.4f}", interval)
    return table
