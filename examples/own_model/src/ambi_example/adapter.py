"""`--model alm_example`: a model that is asked by plain forward passes, one draw at a time."""

import copy
import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import transformers

import ambi_tasks
from ambi_tasks.audio import load_waveform
from ambi_tasks.errors import UserError
from model_adapters.backend import (
    Answer,
    Backend,
    Capabilities,
    Conversation,
    Decoding,
    DrawOrder,
    Score,
    ScoreOrder,
)
from model_adapters.noise import uniform
from model_adapters.registry import register_adapter

DEMO = Path(ambi_tasks.__file__).parent / "demo" / "model"
_CANNOT = {"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}


@register_adapter("alm_example")
class ExampleBackend(Backend):
    """Everything that `--model_args` may say is an argument of the constructor, by keyword."""

    capabilities = Capabilities(draw_log_likelihood=True, log_likelihood=True, clips=None)

    def __init__(
        self,
        *,
        pretrained: str = str(DEMO),
        batch_size: int | str = 1,
        max_batch_size: int | None = None,
        device: str | None = None,
    ) -> None:
        del batch_size, max_batch_size, device  # the harness gives them; one draw at a time, on CPU
        if not Path(pretrained).is_dir():
            raise UserError(f"alm_example: {pretrained} is no folder of a checkpoint.")
        self._path = Path(pretrained)

    @property
    def model_name(self) -> str:
        """What the results call it."""
        return self._path.name

    def fingerprint(self) -> str:
        """Of all that a draw depends on: the checkpoint, the libraries and this package."""
        digest = hashlib.sha256()
        for path in sorted(path for path in self._path.iterdir() if path.is_file()):
            digest.update(path.name.encode() + path.read_bytes())
        for name in ("torch", "transformers", "ambi-example"):
            digest.update(version(name).encode())
        return digest.hexdigest()

    def describe(self) -> dict[str, object]:
        """Goes into the results."""
        return {"model_name": self.model_name, "model_device": "cpu", "model_dtype": "float32"}

    # Weights load here, at the first draw: the harness makes the model before it finds the corpus.

    @cached_property
    def _processor(self) -> Any:
        return transformers.AutoProcessor.from_pretrained(self._path)

    @cached_property
    def _model(self) -> Any:
        kind = transformers.AutoModelForMultimodalLM
        return kind.from_pretrained(self._path, dtype=torch.float32).eval()

    def _inputs(self, conversation: Conversation) -> dict[str, torch.Tensor]:
        """What the model is shown: in each turn the clips come before the text."""
        messages = [
            {
                "role": turn.role,
                "content": [
                    *({"type": "audio", "audio": str(clip)} for clip in turn.clips),
                    {"type": "text", "text": turn.text},
                ],
            }
            for turn in conversation
        ]
        text = self._processor.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False
        )
        waveforms = [load_waveform(clip) for turn in conversation for clip in turn.clips]
        return dict(
            self._processor(
                text=text, audio=waveforms or None, sampling_rate=16_000, return_tensors="pt"
            )
        )

    @torch.inference_mode()
    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
        """Hand over each draw as soon as it is finished: it is kept at once."""
        for position, order in enumerate(orders):
            inputs = self._inputs(order.conversation)
            heard = self._model(**inputs, use_cache=True)  # once for all draws
            for index in order.indices:
                yield position, index, self._write(inputs, heard, order, index)

    def _write(
        self, inputs: dict[str, torch.Tensor], heard: Any, order: DrawOrder, index: int
    ) -> Answer:
        """One draw. Its noise depends on the order's key, the index and the step alone."""
        decoding, tokenizer = order.decoding, self._processor.tokenizer
        tokens: list[int] = []
        log_likelihood, text, logits = 0.0, "", heard.logits
        cache, mask = copy.deepcopy(heard.past_key_values), inputs["attention_mask"]
        while True:
            own = logits[0, -1].double().log_softmax(-1)
            token = _choose(own, decoding, uniform(order.key, index, len(tokens)))
            tokens.append(token)
            log_likelihood += float(own[token])
            text = tokenizer.decode(tokens, skip_special_tokens=True)
            ends = [text.find(stop) for stop in decoding.stop if stop in text]
            if token == tokenizer.eos_token_id or ends:
                text = text[: min(ends)] if ends else text
                return Answer(text, log_likelihood, len(tokens), "stop")
            if len(tokens) == decoding.max_new_tokens:
                return Answer(text, log_likelihood, len(tokens), "length")
            mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
            fed = {"input_ids": torch.tensor([[token]]), "attention_mask": mask}
            logits = self._model(**fed, past_key_values=cache, use_cache=True).logits

    def log_likelihoods(self, orders: Sequence[ScoreOrder]) -> Iterator[tuple[int, list[Score]]]:
        """Score given answers, all their tokens, without an end token."""
        return self._scores(orders)

    @torch.inference_mode()
    def _scores(self, orders: Sequence[ScoreOrder]) -> Iterator[tuple[int, list[Score]]]:
        for position, order in enumerate(orders):
            inputs = self._inputs(order.conversation)
            yield position, [self._score(inputs, text) for text in order.continuations]

    def _score(self, inputs: dict[str, torch.Tensor], text: str) -> Score:
        encoded = self._processor.tokenizer(text, add_special_tokens=False, return_tensors="pt")
        given, length = encoded.input_ids, inputs["input_ids"].shape[1]
        whole = inputs | {
            "input_ids": torch.cat([inputs["input_ids"], given], dim=1),
            "attention_mask": torch.cat([inputs["attention_mask"], torch.ones_like(given)], dim=1),
        }
        logits = self._model(**whole).logits[0, length - 1 : -1].double().log_softmax(-1)
        own = logits.gather(-1, given[0, :, None])
        greedy = bool((logits.argmax(-1) == given[0]).all())
        return Score(float(own.sum()), given.shape[1], greedy)


def _choose(log_probabilities: torch.Tensor, decoding: Decoding, noise: float) -> int:
    """The most probable token, or the one at which the cumulative probability passes the noise."""
    for name, plain in _CANNOT.items():
        if getattr(decoding, name) != plain:
            raise UserError(f"alm_example samples by temperature alone; leave out {name}.")
    if not decoding.do_sample:
        return int(log_probabilities.argmax())
    cumulative = (log_probabilities / decoding.temperature).softmax(-1).cumsum(-1)
    found = torch.searchsorted(cumulative, torch.tensor(noise, dtype=cumulative.dtype), right=True)
    return min(int(found), len(cumulative) - 1)
