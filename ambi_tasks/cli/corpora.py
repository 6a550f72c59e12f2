"""`ambi corpora`: which corpora there are, whether a copy is whole, and what is in it."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from ambi_tasks import corpus_check
from ambi_tasks.cli.console import (
    DIFFERENCE_FOUND,
    new_console,
    new_table,
    progress_bar,
    run_metadata,
    user_errors,
)
from ambi_tasks.corpora import Corpus, get_corpus
from ambi_tasks.corpus_check import CheckReport, Finding, Kind, Overview, Portrait, Severity
from ambi_tasks.labels import SoftLabel, rule_summary
from ambi_tasks.statistics import reference_scores

_IDENTITY_WIDTH = 22  # leaves a terminal of 80 columns room for paths
_STYLES = {Severity.FAULT: "bold red", Severity.KNOWN: "yellow", Severity.NOTE: "cyan"}

_OWN_TABLE = (
    "Votes of your own need no entry here: write them into a table (docs/corpora.md) and name it "
    'as the corpus `table` with --metadata \'{"table": "votes.csv"}\'.'
)

app = typer.Typer(add_completion=False)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A corpus, as `ambi corpora` names it.")]
Root = Annotated[
    str | None, typer.Option("--root", metavar="DIR", help="The copy, instead of <NAME>_ROOT.")
]
MetadataJson = Annotated[
    str | None,
    typer.Option("--metadata", metavar="JSON", help="As for lm_eval: options, label_rule."),
]


@app.callback(invoke_without_command=True)
def corpora(context: typer.Context) -> None:
    """See which corpora there are, check a copy of one, look at an utterance."""
    if context.invoked_subcommand is None:
        list_corpora()


@app.command("list")
def list_corpora() -> None:
    """List every corpus: what it is, what was found of it, how its votes become labels."""
    with user_errors():
        table = new_table("corpus", "your copy", "labels", lines=True)
        table.columns[0].max_width = _IDENTITY_WIDTH
        for found in corpus_check.overviews():
            table.add_row(_identity(found.corpus), _copy(found), _labels(found.corpus))
    new_console().print(table, _OWN_TABLE, sep="")


@app.command()
def check(
    name: Name,
    root: Root = None,
    metadata: MetadataJson = None,
    examples: Annotated[int, typer.Option(min=0, help="Examples shown of each finding.")] = 3,
) -> None:
    """Check a copy of a corpus: its labels and every sample of its audio.

    The exit code is 1 where a fault was found that is not a known one of the corpus itself.
    """
    with user_errors():
        run = run_metadata(name, root, metadata)
        corpus = get_corpus(name, run)
        report = _checked(corpus, run)
    console = new_console()
    console.print(_summary(corpus, report))
    if report.findings:
        console.print(_findings_table(report.findings, examples))
    console.print(_verdict(report))
    if report.faulty:
        raise typer.Exit(DIFFERENCE_FOUND)


@app.command()
def show(
    name: Name,
    utterance: Annotated[str, typer.Argument(metavar="UTTERANCE", help="The corpus's name of it.")],
    root: Root = None,
    metadata: MetadataJson = None,
) -> None:
    """Show one utterance: its votes, its soft label, its audio."""
    with user_errors():
        run = run_metadata(name, root, metadata)
        corpus = get_corpus(name, run)
        found = corpus_check.portrait(corpus, run, utterance)
    console = new_console()
    console.print(_facts(corpus, found))
    console.print(_votes_table(found))
    if isinstance(found.label, SoftLabel):
        console.print(_classes_table(found.rule.classes, found.label))


@app.command()
def ceiling(
    name: Name,
    root: Root = None,
    metadata: MetadataJson = None,
    seed: Annotated[int, typer.Option(min=0, help="Of splits, panels and resamples.")] = 1234,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Score the floors, and the annotators against each other (docs/ceiling.md)."""
    with user_errors():
        run = run_metadata(name, root, metadata)
        corpus = get_corpus(name, run)
        votes = corpus.read(corpus.root(run), **corpus.chosen_options(run))
        rule = corpus.chosen_rule(run)
        scores = reference_scores(votes, rule, seed=seed, silent=corpus.silent)
    if as_json:
        typer.echo(json.dumps(scores.to_json(), indent=2))
    else:
        typer.echo(f"{corpus.title}: {scores.summary()}\n\n{scores.to_markdown()}")


def _checked(corpus: Corpus, metadata: dict[str, Any]) -> CheckReport:
    """Check with a progress bar, where somebody watches."""
    with progress_bar() as bar:
        task = bar.add_task("Labels", total=None)

        def advance(done: int, total: int) -> None:
            bar.update(task, description="Audio", completed=done, total=total)

        return corpus_check.check_corpus(corpus, metadata, advance)


# --- what is printed -----------------------------------------------------------------------------


def _identity(corpus: Corpus) -> Text:
    return Text.assemble((corpus.name, "bold"), f"\n{corpus.title}\n{corpus.licence}")


def _copy(found: Overview) -> Text:
    source = f"source: {found.corpus.source}"
    if found.read is not None:
        count = f"{found.kept:,} kept of {found.read:,} utterances"
        return Text.assemble((count, "green"), f"\n{found.place}\n{source}")
    trouble = f"broken: {found.trouble}\n" if found.trouble else ""
    style = "red" if found.trouble else "yellow"
    return Text.assemble((f"{trouble}{found.place}", style), f"\n{source}")


def _labels(corpus: Corpus) -> str:
    rule = corpus.label_rule
    lines = [", ".join(rule.classes), rule_summary(rule)]
    if corpus.presets:
        lines.append(f"other label_rule: {', '.join(corpus.presets)}")
    lines += [f"{option}: {' | '.join(values)}" for option, values in corpus.options.items()]
    return "\n".join(lines)


def _summary(corpus: Corpus, report: CheckReport) -> str:
    doubtful = {Kind.DOUBLED_RATER, Kind.SMOOTHED} & {one.kind for one in report.findings}
    whole = "" if doubtful else ", each of one annotator"
    compared = (
        f"sha256 of {report.checksums:,} files compared with the clone's HEAD"
        if report.checksums
        else "no sha256 compared (a git clone with its audio in Git LFS has them)"
    )
    options = ", ".join(f"{option}={value}" for option, value in report.options.items())
    return (
        f"{corpus.title} at {report.root}{f' ({options})' if options else ''}\n"
        f"Labels: {report.read:,} utterance{'s' * (report.read != 1)}, "
        f"{report.kept:,} with a soft label; "
        f"{report.votes:,} votes{whole}.\n"
        f"Audio: {report.decoded:,} decoded, {_duration(report.seconds)}; {compared}."
    )


def _duration(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"


def _findings_table(findings: Iterable[Finding], shown: int) -> Table:
    table = new_table("", "count", "what", "examples")
    table.columns[1].justify = "right"
    for finding in findings:
        table.add_row(
            Text(finding.severity.value, style=_STYLES[finding.severity]),
            f"{finding.count:,}",
            corpus_check.MEANING[finding.kind],
            _some(finding.examples, shown),
        )
    return table


def _some(examples: Sequence[str], shown: int) -> str:
    left = len(examples) - shown
    return "\n".join([*examples[:shown], *([f"and {left:,} more"] if left > 0 else [])])


def _verdict(report: CheckReport) -> Text:
    severities = Counter(finding.severity for finding in report.findings)
    if faults := severities[Severity.FAULT]:
        return Text(f"{faults} kind{'s' * (faults > 1)} of fault.", style="bold red")
    known = " but those known of the corpus itself" if severities[Severity.KNOWN] else ""
    return Text(f"No fault{known}.", style="green")


def _facts(corpus: Corpus, found: Portrait) -> Table:
    """What is known of an utterance, a line each."""
    utterance, sound = found.utterance, found.sound
    facts = {
        "utterance": f"{utterance.id} of {corpus.title}",
        "speaker": utterance.speaker,
        **utterance.attributes,
        "path": sound.path,
    }
    if utterance.clip.start is not None or utterance.clip.end is not None:
        end = "its end" if utterance.clip.end is None else f"{utterance.clip.end:.3f} s"
        facts["stretch"] = f"{utterance.clip.start or 0.0:.3f} s to {end}"
    if sound.seconds:
        facts["duration"] = f"{sound.seconds:.3f} s"
        facts["sampling rate"] = f"{sound.rate:,} Hz, {sound.channels} channel(s)"
    if sound.fault:
        facts["fault"] = sound.clause
    if isinstance(found.label, SoftLabel):
        voters = sum(bool(vote.labels) for vote in utterance.votes)
        outside = voters - found.label.annotators
        facts["annotators"] = f"{found.label.annotators} counted, {outside} outside the classes"
        facts["entropy"] = f"{found.entropy:.3f} bits"
        facts["stratum"] = found.stratum or "none, it is silent in every copy"
    else:
        facts["soft label"] = f"none ({found.label.value})"
    facts["label rule"] = rule_summary(found.rule)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        table.add_row(name, fact)
    return table


def _votes_table(found: Portrait) -> Table:
    """The votes as given; those of unnamed annotators that are alike share a row."""
    table = new_table("annotator", "ticked", "votes")
    table.columns[2].justify = "right"
    for vote, times in Counter(found.utterance.votes).items():
        table.add_row(vote.rater or "not named", ", ".join(vote.labels) or "nothing", str(times))
    return table


def _classes_table(classes: Sequence[str], label: SoftLabel) -> Table:
    table = new_table("class", "votes", "soft label")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, mass, share in zip(classes, label.masses, label.distribution, strict=True):
        table.add_row(name, f"{mass:g}", f"{share:.4f}")
    return table
