"""Measure the demo model: `python -m ambi_tasks.demo.evaluate`.

Decisions about the model are made on the validation clips (`--validation`), never on the corpus.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ambi_tasks.audio import SAMPLING_RATE, Waveform, load_waveform
from ambi_tasks.corpora.demo import CORPUS
from ambi_tasks.demo import CORPUS_FOLDER, MODEL_FOLDER
from ambi_tasks.demo.build_corpus import bundled_clips
from ambi_tasks.demo.dialogues import CREMA_D_LABELS, emotion_of
from ambi_tasks.demo.listener import Listener, direct_prompt, read_answers, read_out, task_prompt
from ambi_tasks.demo.measurement import HeardClips, Measurement, Row, score
from ambi_tasks.demo.model_card import write_table
from ambi_tasks.demo.speech import EMOTIONS, Floats, draw_clips
from ambi_tasks.demo.splits import TRAINING, VALIDATION
from ambi_tasks.demo.train import DEFAULT_CACHE, Settings
from ambi_tasks.demo.training_data import spoken_clips
from ambi_tasks.demo.verifier_measurement import Draws, verifier_results
from ambi_tasks.labels import SoftLabel, soft_label
from ambi_tasks.metrics.js import jensen_shannon

DRAWS = 16
"""Drawn answers that are averaged."""

TEMPERATURE = 0.8
"""Temperature of the draws; the best on the validation clips."""

UNSEEN_WORDING = (
    "Please pay attention to how this person talks and return, as a JSON object, the chance of "
    "every feeling in this list: {labels}."
)
"""A prompt that is not part of the training."""


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
    torch.manual_seed(seed)
    draws = _draw(listener, clips, temperature)
    greedy, parsed = _greedy(listener, clips, direct_prompt())
    judged, verifier_facts = verifier_results(listener, clips, draws)
    rows = [
        score("the rule itself (its votes' noise)", truth, clips.rule),
        score("floor: uniform", truth, np.full_like(truth, 1 / truth.shape[1])),
        score("floor: label prior", truth, np.tile(label_prior(), (len(truth), 1))),
        score("greedy", truth, greedy, parsed),
        score(f"one draw, T = {temperature}", truth, draws.read, draws.parsed),
        score(f"mean of {DRAWS} draws", truth, draws.read.mean(axis=1), draws.parsed),
        score("greedy, `cot`", truth, *_greedy(listener, clips, task_prompt("cot"))),
        score("label probabilities, `label`", truth, read_out(listener, clips.waveforms)),
        *judged,
        _shuffled_row(truth, greedy),
        score("greedy, `direct_v2`", truth, *_greedy(listener, clips, task_prompt("direct_v2"))),
        score("greedy, `direct_v3`", truth, *_greedy(listener, clips, task_prompt("direct_v3"))),
        score("greedy, unseen wording", truth, *_greedy(listener, clips, unseen_prompt())),
        score("greedy, words changed", truth, *_greedy(listener, clips, edited_prompt())),
        score(
            "greedy, labels reversed",
            truth,
            *_greedy(listener, clips, direct_prompt(EMOTIONS[::-1])),
        ),
        _crema_d_row(listener, clips),
    ]
    facts = {**verifier_facts, **_non_speech_facts(listener), **_cost_facts(listener, clips)}
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


def _draw(listener: Listener, clips: HeardClips, temperature: float) -> Draws:
    texts = listener.ask(
        clips.waveforms, direct_prompt(), draws=DRAWS, temperature=temperature, batch_size=128
    )
    read, parsed = read_answers([text for one in texts for text in one], EMOTIONS)
    return Draws(texts, read.reshape(len(texts), DRAWS, -1), parsed)


def _shuffled_row(truth: Floats, predictions: Floats) -> Row:
    """Score each answer against every other clip's votes."""
    shifts = range(1, len(truth))
    shifted = [np.roll(predictions, shift, axis=0) for shift in shifts]
    return score("greedy, clips shuffled", truth, np.stack(shifted, axis=1))


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
