"""How the doctor asks a model: by the harness's own requests, so that any adapter will do."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from lm_eval.api.instance import Instance

from ambi_tasks.audio import AudioArgument, Clip
from ambi_tasks.metrics.validation import Floats
from model_adapters.audio_lm import AudioLM
from model_adapters.draws import Draw

Question = tuple[str, Clip]
"""A text, and the clip that it is asked about."""

GREEDY: Mapping[str, Any] = {"do_sample": False, "max_gen_toks": 256}
SAMPLED: Mapping[str, Any] = {"do_sample": True, "temperature": 0.8, "max_gen_toks": 256}


class Asker:
    """Asks one model, which keeps no draws: whatever is asked again is answered anew."""

    def __init__(self, lm: AudioLM) -> None:
        self._lm = lm

    def draws(
        self,
        questions: Sequence[Question],
        decoding: Mapping[str, Any],
        repeats: int = 1,
        *,
        alone: bool = False,
    ) -> list[list[Draw]]:
        """Draw answers.

        Args:
            questions: What is asked, (Q,).
            decoding: As a task's `generation_kwargs`.
            repeats: Draws of each, R.
            alone: Each question by itself, not all together.

        Returns:
            The draws, (Q, R).
        """
        requests = [_draw_request(question, decoding, repeats) for question in questions]
        groups = [[request] for request in requests] if alone else [requests]
        found: list[Any] = []
        for group in groups:
            repeated = [request for request in group for _ in range(repeats)]
            found += self._lm.generate_until(repeated, disable_tqdm=True)
        return [found[start : start + repeats] for start in range(0, len(found), repeats)]

    def read_outs(
        self, questions: Sequence[Question], labels: Sequence[str], *, alone: bool = False
    ) -> Floats:
        """The log-likelihoods of labels as answers.

        Args:
            questions: What is asked, (Q,).
            labels: The labels, (K,).
            alone: Each question by itself, not all together.

        Returns:
            Natural logs, (Q, K).
        """
        asked = [[_score_request(question, label) for label in labels] for question in questions]
        groups = asked if alone else [[request for of_one in asked for request in of_one]]
        found: list[Any] = []
        for group in groups:
            found += self._lm.loglikelihood(group, disable_tqdm=True)
        values: Floats = np.array([value for value, _ in found], dtype=np.float64)
        return values.reshape(len(questions), len(labels))


def _audio(clip: Clip) -> dict[str, Any]:
    return {"audio": [AudioArgument(clip.mapping())]}


def _draw_request(question: Question, decoding: Mapping[str, Any], repeats: int) -> Instance:
    text, clip = question
    arguments = (text, dict(decoding), _audio(clip))
    return Instance("generate_until", {}, arguments, 0, ("doctor", 0, repeats))


def _score_request(question: Question, label: str) -> Instance:
    text, clip = question
    return Instance("loglikelihood", {}, (text, label, _audio(clip)), 0, ("doctor", 0, 1))
