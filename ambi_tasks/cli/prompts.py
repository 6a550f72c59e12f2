"""`ambi prompts`: which prompts there are, and what a model reads of one."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from ambi_tasks.cli.console import new_console, new_table, run_metadata, user_errors
from ambi_tasks.corpora import Corpus, get_corpus
from ambi_tasks.corpus_check import unknown_utterance
from ambi_tasks.errors import UserError
from ambi_tasks.labels import LabelRule, SoftLabel, soft_label
from ambi_tasks.prompts import Prompt, load_prompt, order_labels, prompt_names

_HASH_SHOWN = 12
_LABEL_ORDER = re.compile(r"given|reversed|shuffled:-?[0-9]{1,9}")
_EXAMPLE_TASK = "direct"
_EXAMPLE_TRANSCRIPT = "don't forget a jacket"
_EXAMPLE_SCALE = (0.0, 10.0)

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def prompts(context: typer.Context) -> None:
    """See which prompts there are, and one as a model reads it."""
    if context.invoked_subcommand is None:
        list_prompts()


@app.command("list")
def list_prompts() -> None:
    """List every prompt: what it is for, what is filled in, and why its author asks so."""
    with user_errors():
        table = new_table("prompt", "what it is for", "placeholders", lines=True)
        for prompt in map(load_prompt, prompt_names()):
            identity = f"{prompt.id}\nversion {prompt.version}\n{prompt.sha256[:_HASH_SHOWN]}"
            reason = f"{prompt.purpose}\nAuthor's note: {prompt.note}"
            table.add_row(identity, reason, "\n".join(prompt.placeholders))
    new_console().print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `ambi prompts` names it.")],
    corpus: Annotated[str, typer.Option(metavar="NAME", help="Whose labels.")] = "demo",
    utterance: Annotated[
        str | None, typer.Option(metavar="ID", help="The corpus's first one, if not given.")
    ] = None,
    label_order: Annotated[
        str, typer.Option(metavar="ORDER", help="given, reversed or shuffled:SEED.")
    ] = "given",
    metadata: Annotated[
        str | None, typer.Option(metavar="JSON", help="As for lm_eval: options, label_rule.")
    ] = None,
) -> None:
    """Print a prompt as it is asked about an utterance, whose audio comes before it.

    A verifier's prompt judges an example of an answer to the prompt `direct`; that of a cascade
    shows an example of a transcript.
    """
    with user_errors():
        prompt = load_prompt(name)
        run = run_metadata(corpus, None, metadata)
        chosen = get_corpus(corpus, run)
        rule = chosen.chosen_rule(run)
        labels = _ordered(rule.classes, label_order)
        asked_about = _utterance(chosen, rule, run, utterance)
        text = prompt.render(**_values(prompt, labels))
    typer.echo(f"{prompt.id}, version {prompt.version}, on {asked_about}:", err=True)
    typer.echo(text)


def _ordered(labels: Sequence[str], order: str) -> list[str]:
    if not _LABEL_ORDER.fullmatch(order):
        raise UserError(f"--label-order is given, reversed or shuffled:SEED, not '{order}'.")
    return order_labels(labels, order)


def _utterance(corpus: Corpus, rule: LabelRule, run: Mapping[str, Any], name: str | None) -> str:
    """Find an utterance that a run would ask about, the first one unless a name is given."""
    seen = []
    for one in corpus.read(corpus.root(run), **corpus.chosen_options(run)):
        seen.append(one.id)
        if name not in (None, one.id):
            continue
        label = soft_label(one.votes, rule)
        heard = one.id not in corpus.silent
        if isinstance(label, SoftLabel) and heard:
            return f"{one.id} of {corpus.title} ({one.clip})"
        if name is not None:
            reason = label.value if not isinstance(label, SoftLabel) else "known_silent"
            raise UserError(f"{corpus.title}: a run would not ask about '{name}' ({reason}).")
    if name is None:
        raise UserError(f"{corpus.title}: no utterance is left to ask about.")
    raise unknown_utterance(corpus, name, seen)


def _values(prompt: Prompt, labels: Sequence[str]) -> dict[str, Any]:
    """What fills the placeholders: the labels, and examples of what is judged or was understood."""
    low, high = prompt.scale or _EXAMPLE_SCALE
    task = load_prompt(_EXAMPLE_TASK) if "task" in prompt.placeholders else None
    known = {
        "labels": labels,
        "task": task and task.render(labels=labels),
        "response": _example_response(labels),
        "transcripts": [_EXAMPLE_TRANSCRIPT],
        "low": f"{low:g}",
        "high": f"{high:g}",
    }
    if strangers := sorted(set(prompt.placeholders) - set(known)):
        raise UserError(
            f"Prompt '{prompt.id}' has the placeholder '{strangers[0]}', for which there is no "
            f"example; there are examples of: {', '.join(known)}."
        )
    return {name: known[name] for name in prompt.placeholders}


def _example_response(labels: Sequence[str]) -> str:
    """An answer of the form that is asked for: half for the first label, the rest shared."""
    shares = [0.5] + [round(0.5 / (len(labels) - 1), 3)] * (len(labels) - 1)
    return json.dumps(dict(zip(labels, shares, strict=True)))
