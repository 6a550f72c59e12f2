"""Measure the demo model: `python -m ambi_tasks.demo.evaluate`.

Decisions about the model are made on the validation clips (`--validation`), never on the corpus.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForMultimodalLM, AutoProcessor

from ambi_tasks.answers import parse_answer
from ambi_tasks.audio import SAMPLING_RATE, Waveform, load_waveform
from ambi_tasks.corpora.demo import CORPUS
from ambi_tasks.demo import CORPUS_FOLDER, MODEL_FOLDER
from ambi_tasks.demo.build_corpus import bundled_clips
from ambi_tasks.demo.model_card import write_table
from ambi_tasks.demo.prompt_forms import CREMA_D_LABELS, emotion_of
from ambi_tasks.demo.speech import EMOTIONS, Floats, draw_clips
from ambi_tasks.demo.splits import TRAINING, VALIDATION
from ambi_tasks.demo.tiny_model import render_chat
from ambi_tasks.demo.train import DEFAULT_CACHE, Settings
from ambi_tasks.demo.training_data import spoken_clips
from ambi_tasks.labels import SoftLabel, soft_label
from ambi_tasks.metrics.js import jensen_shannon
from ambi_tasks.prompts import load_prompt

DRAWS = 16
"""Drawn answers that are averaged."""

TEMPERATURE = 0.8
"""Temperature of the draws; the best on the validation clips."""

UNSEEN_WORDING = (
    "Please pay attention to how this person talks and return, as a JSON object, the chance of "
    "every feeling in this list: {labels}."
)
"""A prompt that is not part of the training."""


@dataclass(frozen=True, slots=True)
class HeardClips:
    """Clips with the truth about them.

    Attributes:
        waveforms: Samples at 16 kHz, N of (S,).
        vote_shares: Shares of the votes over `EMOTIONS`, (N, K).
        rule: What the emotion rule says, (N, K).
    """

    waveforms: list[Waveform]
    vote_shares: Floats
    rule: Floats


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Attributes:
        name: What was scored.
        divergence: Mean Jensen-Shannon divergence, base 2.
        interval: 95 % interval of the mean over clips, by the bootstrap.
        parsed: Share of the answers that could be read, None where nothing was asked.
    """

    name: str
    divergence: float
    interval: tuple[float, float]
    parsed: float | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured of a model.

    Attributes:
        rows: Scores against votes.
        facts: Other numbers, by name.
    """

    rows: list[Row]
    facts: dict[str, str]

    def divergence(self, name: str) -> float:
        """The score of a row by its name."""
        return next(row.divergence for row in self.rows if row.name == name)

    def table(self) -> str:
        """Both as Markdown."""
        lines = ["| scored against the votes | JS | 95 % interval | parsed |", "|---|--:|--:|--:|"]
        for row in self.rows:
            parsed = "" if row.parsed is None else f"{row.parsed:.1%}"
            low, high = row.interval
            lines.append(f"| {row.name} | {row.divergence:.3f} | {low:.3f}-{high:.3f} | {parsed} |")
        lines += ["", "| other | |", "|---|--:|"]
        lines += [f"| {name} | {value} |" for name, value in self.facts.items()]
        return "\n".join(lines)


class Listener:
    """The model in a folder, as the Auto classes load it.

    Args:
        folder: The model's folder.
    """

    def __init__(self, folder: Path = MODEL_FOLDER) -> None:
        self.processor: Any = AutoProcessor.from_pretrained(folder)
        loaded: Any = AutoModelForMultimodalLM.from_pretrained(folder, dtype=torch.float32)
        self.model: Any = loaded.eval()

    def ask(
        self,
        waveforms: Sequence[Waveform],
        prompt: str,
        *,
        draws: int = 1,
        temperature: float | None = None,
        batch_size: int = 16,
    ) -> list[list[str]]:
        """Ask the same about each clip.

        Args:
            waveforms: The clips.
            prompt: The prompt behind each clip.
            draws: Answers per clip.
            temperature: Temperature of the draws; None for the greedy answer.
            batch_size: Answers at a time.

        Returns:
            The answers to each clip.
        """
        clips = max(1, batch_size // draws)
        answers: list[list[str]] = []
        for start in range(0, len(waveforms), clips):
            answers += self._ask_batch(waveforms[start : start + clips], prompt, draws, temperature)
        return answers

    def _ask_batch(
        self, waveforms: Sequence[Waveform], prompt: str, draws: int, temperature: float | None
    ) -> list[list[str]]:
        inputs = self.processor(
            text=[render_chat(self.processor, prompt)] * len(waveforms),
            audio=list(waveforms),
            sampling_rate=SAMPLING_RATE,
            return_tensors="pt",
            padding=True,
        )
        decoding: dict[str, Any] = {"do_sample": False}
        if temperature is not None:
            decoding = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
        with torch.no_grad():
            tokens = self.model.generate(
                **inputs, **decoding, num_return_sequences=draws, max_new_tokens=64
            )
        new = tokens[:, inputs["input_ids"].shape[1] :]
        texts: list[str] = self.processor.batch_decode(new, skip_special_tokens=True)
        return [texts[start : start + draws] for start in range(0, len(texts), draws)]


def corpus_clips(folder: Path = CORPUS_FOLDER) -> HeardClips:
    """Read the bundled corpus the way that the benchmark does."""
    utterances = list(CORPUS.read(folder))
    labels = [soft_label(utterance.votes, CORPUS.label_rule) for utterance in utterances]
    shares = [label.distribution for label in labels if isinstance(label, SoftLabel)]
    rule = [clip.truth for clip in bundled_clips()]
    waveforms = [load_waveform(utterance.clip) for utterance in utterances]
    return HeardClips(waveforms, np.array(shares), np.array(rule))


def validation_clips(cache: Path = DEFAULT_CACHE, count: int = 240) -> HeardClips:
    """Speak the validation clips.

    Raises:
        UserError: espeak-ng is missing or fails.
    """
    drawn = list(draw_clips(VALIDATION, count))
    waveforms = [clip.waveform for clip in spoken_clips(drawn, cache)]
    shares = np.array([clip.vote_shares for clip in drawn])
    return HeardClips(waveforms, shares, np.array([clip.truth for clip in drawn]))


def label_prior() -> Floats:
    """The mean distribution of the votes on the training clips, (K,)."""
    drawn = draw_clips(TRAINING, Settings().clips)
    prior: Floats = np.mean([clip.vote_shares for clip in drawn], axis=0)
    return prior


def direct_prompt(labels: Sequence[str] = EMOTIONS) -> str:
    """The prompt of the task for these labels."""
    return load_prompt("direct").render(labels=list(labels))


def read_answers(answers: Sequence[str], labels: Sequence[str]) -> tuple[Floats, float]:
    """Read answers; one that cannot be read counts as the uniform distribution.

    Returns:
        Distributions, (N, L), and the share of the answers that could be read.
    """
    parsed = [parse_answer(answer, labels).distribution for answer in answers]
    uniform = np.full(len(labels), 1 / len(labels))
    distributions = np.array([uniform if one is None else one for one in parsed])
    return distributions, sum(one is not None for one in parsed) / len(parsed)


def score(name: str, truth: Floats, predictions: Floats, parsed: float | None = None) -> Row:
    """Score predictions, (N, K), against the truth, (N, K)."""
    divergences = jensen_shannon(truth, predictions)
    generator = np.random.default_rng(0)
    resampled = generator.choice(divergences, (2000, len(divergences))).mean(axis=1)
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Row(name, float(divergences.mean()), (float(low), float(high)), parsed)


def measure(
    listener: Listener, clips: HeardClips, temperature: float = TEMPERATURE, seed: int = 0
) -> Measurement:
    """Measure a model on clips.

    Args:
        listener: The model.
        clips: The clips.
        temperature: Temperature of the drawn answers.
        seed: Seed of the drawn answers.
    """
    truth = clips.vote_shares
    greedy, parsed = _greedy(listener, clips, direct_prompt())
    rows = [
        score("the rule itself (its votes' noise)", truth, clips.rule),
        score("floor: uniform", truth, np.full_like(truth, 1 / truth.shape[1])),
        score("floor: label prior", truth, np.tile(label_prior(), (len(truth), 1))),
        score("greedy", truth, greedy, parsed),
        *_sampled_rows(listener, clips, temperature, seed),
        _shuffled_row(truth, greedy),
        score("greedy, unseen wording", truth, *_greedy(listener, clips, unseen_prompt())),
        score("greedy, words changed", truth, *_greedy(listener, clips, edited_prompt())),
        score(
            "greedy, labels reversed",
            truth,
            *_greedy(listener, clips, direct_prompt(EMOTIONS[::-1])),
        ),
        _crema_d_row(listener, clips),
    ]
    facts = {**_non_speech_facts(listener), **_cost_facts(listener, clips)}
    return Measurement(rows, facts)


def unseen_prompt() -> str:
    """A prompt of which the training has no sentence."""
    return UNSEEN_WORDING.format(labels=", ".join(EMOTIONS))


def edited_prompt() -> str:
    """The prompt of the task as a later version of it might read."""
    prompt = direct_prompt()
    for old, new in (("recording", "clip"), ("voted for", "named"), ("Estimate", "Say")):
        prompt = prompt.replace(old, new)
    return prompt


def _greedy(listener: Listener, clips: HeardClips, prompt: str) -> tuple[Floats, float]:
    answers = listener.ask(clips.waveforms, prompt)
    return read_answers([one[0] for one in answers], EMOTIONS)


def _sampled_rows(
    listener: Listener, clips: HeardClips, temperature: float, seed: int
) -> list[Row]:
    torch.manual_seed(seed)
    answers = listener.ask(
        clips.waveforms, direct_prompt(), draws=DRAWS, temperature=temperature, batch_size=128
    )
    drawn, parsed = read_answers([text for one in answers for text in one], EMOTIONS)
    grouped = drawn.reshape(len(answers), DRAWS, -1)
    truth = clips.vote_shares
    return [
        score(f"one draw, T = {temperature}", truth, grouped[:, 0], parsed),
        score(f"mean of {DRAWS} draws, T = {temperature}", truth, grouped.mean(axis=1), parsed),
    ]


def _shuffled_row(truth: Floats, predictions: Floats) -> Row:
    """Score each answer against every other clip's votes."""
    shifts = range(1, len(truth))
    shifted = np.concatenate([np.roll(truth, shift, axis=0) for shift in shifts])
    return score("greedy, clips shuffled", shifted, np.tile(predictions, (len(shifts), 1)))


def _crema_d_row(listener: Listener, clips: HeardClips) -> Row:
    answers = listener.ask(clips.waveforms, direct_prompt(CREMA_D_LABELS))
    predictions, parsed = read_answers([one[0] for one in answers], CREMA_D_LABELS)
    truth = np.zeros_like(predictions)
    for column, label in enumerate(CREMA_D_LABELS):
        if (emotion := emotion_of(label)) is not None:
            truth[:, column] = clips.vote_shares[:, EMOTIONS.index(emotion)]
    return score("greedy, the six labels of CREMA-D", truth, predictions, parsed)


def non_speech(seconds: float = 2.0) -> dict[str, Waveform]:
    """Sound that carries no emotion, by name."""
    length = int(seconds * SAMPLING_RATE)
    noise = np.random.default_rng(0).normal(0, 0.03, length)
    return {"silence": np.zeros(length, np.float32), "white noise": noise.astype(np.float32)}


def _non_speech_facts(listener: Listener) -> dict[str, str]:
    facts = {}
    uniform = np.full((1, len(EMOTIONS)), 1 / len(EMOTIONS))
    for name, waveform in non_speech().items():
        answer, _ = read_answers(listener.ask([waveform], direct_prompt())[0], EMOTIONS)
        facts[f"{name}: JS against uniform"] = f"{jensen_shannon(uniform, answer)[0]:.3f}"
        facts[f"{name}: largest probability"] = f"{answer.max():.2f}"
    return facts


def _cost_facts(listener: Listener, clips: HeardClips) -> dict[str, str]:
    started = time.perf_counter()
    count = min(20, len(clips.waveforms))
    listener.ask(clips.waveforms[:count], direct_prompt(), batch_size=1)
    seconds = (time.perf_counter() - started) / count
    threads = torch.get_num_threads()
    return {f"seconds per greedy answer, one at a time, {threads} threads": f"{seconds:.3f}"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Measure the demo model of ambi_tasks.")
    parser.add_argument("--model", type=Path, default=MODEL_FOLDER, help="folder of the model")
    parser.add_argument("--temperature", type=float, default=TEMPERATURE, help="of the draws")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draws")
    parser.add_argument(
        "--validation", action="store_true", help="on the validation clips, with espeak-ng"
    )
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="of validation clips")
    parser.add_argument(
        "--write", type=Path, nargs="*", default=[], help="files whose table is replaced"
    )
    options = parser.parse_args(arguments)
    clips = validation_clips(options.cache) if options.validation else corpus_clips()
    measured = measure(Listener(options.model), clips, options.temperature, options.seed)
    print(measured.table())
    for path in options.write:
        write_table(path, measured.table())


if __name__ == "__main__":
    main()
