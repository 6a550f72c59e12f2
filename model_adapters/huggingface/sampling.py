"""Choosing tokens: greedy or by counter-based noise, with the model's own log-probability kept."""

from collections.abc import Sequence

import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    MinPLogitsWarper,
    PreTrainedTokenizerBase,
    RepetitionPenaltyLogitsProcessor,
    StoppingCriteria,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from model_adapters.backend import Decoding
from model_adapters.noise import uniform


class TokenChooser(LogitsProcessor):  # type: ignore[misc] # transformers is untyped here
    """Chooses every token itself and leaves `generate` no choice but to take it.

    Sampling is by inversion: the token at which the cumulative probability passes a uniform number
    that depends on (pool, draw, step) alone. So a draw is the same in any batch.

    Attributes:
        log_probabilities: Per step the natural log-probability of the chosen tokens under the raw
            logits, (rows,).
    """

    def __init__(self, decoding: Decoding, rows: Sequence[tuple[str, int]]) -> None:
        """Set up for one batch.

        Args:
            decoding: Shared by the rows.
            rows: Pool key and draw index of each row.
        """
        self.log_probabilities: list[torch.Tensor] = []
        self._rows = rows
        self._penalty = (
            RepetitionPenaltyLogitsProcessor(decoding.repetition_penalty)
            if decoding.repetition_penalty != 1
            else None
        )
        self._warpers = _warpers(decoding) if decoding.do_sample else None

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.Tensor:
        """Choose one token a row.

        Args:
            input_ids: Tokens so far, (rows, T).
            scores: Raw logits, (rows, V).

        Returns:
            Scores that are 0 at the chosen token and -inf elsewhere, (rows, V).
        """
        shaped = self._penalty(input_ids, scores) if self._penalty else scores
        if self._warpers is None:
            chosen = shaped.argmax(dim=-1, keepdim=True)
        else:
            chosen = self._sample(self._warpers(input_ids, shaped))
        own = scores.log_softmax(dim=-1).gather(-1, chosen)
        self.log_probabilities.append(own[:, 0])
        return torch.full_like(scores, -torch.inf).scatter_(-1, chosen, 0.0)

    def _sample(self, scores: torch.Tensor) -> torch.Tensor:
        step = len(self.log_probabilities)
        noise = [uniform(key, draw, step) for key, draw in self._rows]
        cumulative = scores.double().softmax(dim=-1).cumsum(dim=-1)
        total = cumulative[:, -1:]
        point = torch.tensor(noise, dtype=torch.float64, device=scores.device)[:, None] * total
        # Rounding must not reach the total: beyond it lie tokens of probability 0 alone.
        point = torch.minimum(point, torch.nextafter(total, torch.zeros_like(total)))
        return torch.searchsorted(cumulative, point, right=True)


def _warpers(decoding: Decoding) -> LogitsProcessorList:
    chosen = LogitsProcessorList([TemperatureLogitsWarper(float(decoding.temperature))])
    if decoding.top_k > 0:
        chosen.append(TopKLogitsWarper(decoding.top_k))
    if decoding.top_p < 1:
        chosen.append(TopPLogitsWarper(decoding.top_p))
    if decoding.min_p > 0:
        chosen.append(MinPLogitsWarper(decoding.min_p))
    return chosen


class StopAtStrings(StoppingCriteria):  # type: ignore[misc] # transformers is untyped here
    """Ends each row on its own when its answer holds a stop string.

    Attributes:
        lengths: Tokens of the answers that were ended, by row.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, stop: Sequence[str], prompt_length: int
    ) -> None:
        """Set up for one batch.

        Args:
            tokenizer: Decodes the answers.
            stop: Stop strings.
            prompt_length: Tokens before the answers, padding included.
        """
        self.lengths: dict[int, int] = {}
        self._tokenizer = tokenizer
        self._stop = [string for string in stop if string]
        self._prompt_length = prompt_length

    def __call__(
        self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs: object
    ) -> torch.Tensor:
        """Say which rows are done, (rows,)."""
        del scores, kwargs
        if self._stop:
            answers = input_ids[:, self._prompt_length :]
            texts = self._tokenizer.batch_decode(answers, skip_special_tokens=True)
            for row, text in enumerate(texts):
                if row not in self.lengths and any(string in text for string in self._stop):
                    self.lengths[row] = answers.shape[1]
        done = [row in self.lengths for row in range(input_ids.shape[0])]
        return torch.tensor(done, dtype=torch.bool, device=input_ids.device)


def before_stop(text: str, stop: Sequence[str]) -> str:
    """Cut a text at the first stop string."""
    ends = [text.index(string) for string in stop if string and string in text]
    return text[: min(ends)] if ends else text
