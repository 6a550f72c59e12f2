"""The demo model as a listener: what it answers, and how likely it finds given answers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForMultimodalLM, AutoProcessor

from ambi_tasks.answers import parse_answer
from ambi_tasks.audio import SAMPLING_RATE, Waveform
from ambi_tasks.demo import MODEL_FOLDER
from ambi_tasks.demo.judging import HIGH, LOW
from ambi_tasks.demo.speech import EMOTIONS, Floats
from ambi_tasks.demo.tiny_model import render_chat
from ambi_tasks.prompts import load_prompt
from ambi_tasks.verdicts import parse_rating

_LONGEST_ANSWER = 160


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
        prompt: str | Sequence[str],
        *,
        draws: int = 1,
        temperature: float | None = None,
        batch_size: int = 16,
    ) -> list[list[str]]:
        """Ask about each clip.

        Args:
            waveforms: The clips, N of (S,).
            prompt: The prompt behind each clip: one for all, or one per clip, (N,).
            draws: Answers per clip.
            temperature: Temperature of the draws; None for the greedy answer.
            batch_size: Answers at a time.

        Returns:
            The answers to each clip, (N, draws).
        """
        decoding: dict[str, Any] = {"do_sample": False}
        if temperature is not None:
            decoding = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
        answers: list[list[str]] = []
        for clips, texts in self._parts(waveforms, prompt, max(1, batch_size // draws)):
            inputs = self._inputs(clips, texts)
            with torch.no_grad():
                tokens = self.model.generate(
                    **inputs,
                    **decoding,
                    num_return_sequences=draws,
                    max_new_tokens=_LONGEST_ANSWER,
                )
            new = tokens[:, inputs["input_ids"].shape[1] :]
            said: list[str] = self.processor.batch_decode(new, skip_special_tokens=True)
            answers += [said[start : start + draws] for start in range(0, len(said), draws)]
        return answers

    def log_likelihoods(
        self,
        waveforms: Sequence[Waveform],
        prompt: str | Sequence[str],
        answers: Sequence[str],
        *,
        batch_size: int = 16,
    ) -> Floats:
        """How likely given answers are, with all their tokens, but no end behind them.

        Args:
            waveforms: The clips, N of (S,).
            prompt: The prompt behind each clip: one for all, or one per clip, (N,).
            answers: The answers, (A,).
            batch_size: Clips at a time.

        Returns:
            Natural logarithms of the probabilities, (N, A).
        """
        columns = []
        for answer in answers:
            parts = self._parts(waveforms, prompt, batch_size)
            columns.append([one for part in parts for one in self._likelihoods(*part, answer)])
        return np.array(columns).T

    def _likelihoods(
        self, waveforms: Sequence[Waveform], chats: Sequence[str], answer: str
    ) -> list[float]:
        count = len(self.processor.tokenizer(answer).input_ids)
        inputs = self._inputs(waveforms, [chat + answer for chat in chats])
        with torch.no_grad():
            logits = self.model(**inputs).logits[:, -count - 1 : -1].float()
        targets = inputs["input_ids"][:, -count:, None]
        likelihoods = logits.log_softmax(dim=-1).gather(-1, targets).sum(dim=(1, 2))
        values: list[float] = likelihoods.tolist()
        return values

    def _parts(
        self, waveforms: Sequence[Waveform], prompt: str | Sequence[str], size: int
    ) -> Iterator[tuple[Sequence[Waveform], list[str]]]:
        """So many clips at a time, each with the text of its chat."""
        prompts = [prompt] * len(waveforms) if isinstance(prompt, str) else prompt
        chats = [render_chat(self.processor, one) for one in prompts]
        for start in range(0, len(waveforms), size):
            yield waveforms[start : start + size], chats[start : start + size]

    def _inputs(self, waveforms: Sequence[Waveform], chats: Sequence[str]) -> Any:
        return self.processor(
            text=list(chats),
            audio=list(waveforms),
            sampling_rate=SAMPLING_RATE,
            return_tensors="pt",
            padding=True,
        )


def task_prompt(template: str, labels: Sequence[str] = EMOTIONS) -> str:
    """A template's question for these labels."""
    return load_prompt(template).render(labels=list(labels))


def direct_prompt(labels: Sequence[str] = EMOTIONS) -> str:
    """The prompt of the task for these labels."""
    return task_prompt("direct", labels)


def read_answers(answers: Sequence[str], labels: Sequence[str]) -> tuple[Floats, float]:
    """Read answers; one that cannot be read counts as the uniform distribution.

    Returns:
        Distributions, (N, L), and the share of the answers that could be read.
    """
    parsed = [parse_answer(answer, labels).distribution for answer in answers]
    uniform = np.full(len(labels), 1 / len(labels))
    distributions = np.array([uniform if one is None else one for one in parsed])
    return distributions, sum(one is not None for one in parsed) / len(parsed)


def read_out(listener: Listener, waveforms: Sequence[Waveform]) -> Floats:
    """The probabilities of the labels as answers to the prompt `label`, (N, K)."""
    likelihoods = listener.log_likelihoods(waveforms, task_prompt("label"), EMOTIONS)
    weights = np.exp(likelihoods - likelihoods.max(axis=1, keepdims=True))
    shares: Floats = weights / weights.sum(axis=1, keepdims=True)
    return shares


def ratings(
    listener: Listener, waveforms: Sequence[Waveform], responses: Sequence[str]
) -> tuple[Floats, float]:
    """Let the model rate responses to the direct prompt.

    Args:
        listener: The model.
        waveforms: The clips, N of (S,).
        responses: A response to each, (N,).

    Returns:
        Ratings, the middle of the scale where one could not be read, (N,), and the share of those
        that could be.
    """
    prompt = load_prompt("verifier_rating")
    questions = [
        prompt.render(task=direct_prompt(), response=text, low=str(LOW), high=str(HIGH))
        for text in responses
    ]
    answers = listener.ask(waveforms, questions, batch_size=32)
    read = [parse_rating(answer, LOW, HIGH).score for (answer,) in answers]
    filled = [(LOW + HIGH) / 2 if one is None else one for one in read]
    return np.array(filled), sum(one is not None for one in read) / len(read)


def yes_probabilities(
    listener: Listener, waveforms: Sequence[Waveform], responses: Sequence[str]
) -> Floats:
    """The probability of the first answer of `verifier_probability` against the second, (N,).

    Args:
        listener: The model.
        waveforms: The clips, N of (S,).
        responses: A response to the direct prompt about each, (N,).
    """
    prompt = load_prompt("verifier_probability")
    assert prompt.answers is not None
    questions = [prompt.render(task=direct_prompt(), response=text) for text in responses]
    likelihoods = listener.log_likelihoods(waveforms, questions, prompt.answers, batch_size=32)
    probabilities: Floats = 1 / (1 + np.exp(likelihoods[:, 1] - likelihoods[:, 0]))
    return probabilities
