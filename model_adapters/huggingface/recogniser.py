"""Speech recognisers of transformers: the first half of `alm_cascade`."""

import logging
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar

import transformers

from ambi_tasks.audio import clip_seconds, load_waveform
from model_adapters.backend import Answer, Capabilities, DrawOrder
from model_adapters.huggingface.backend import HuggingFaceBackend

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

_WHISPER, _WINDOW = "whisper", 30.0  # seconds, beyond which Whisper must be asked for timestamps


class SpeechRecogniser(HuggingFaceBackend):
    """A checkpoint of the pipeline `automatic-speech-recognition`; its answer is the transcript.

    The words of a question are not looked at. Clips are heard one by one, so that a transcript does
    not depend on the padding of a batch.
    """

    called: ClassVar[str] = "alm_cascade"
    named_by: ClassVar[str] = "recogniser"
    capabilities = Capabilities(sampling=False)

    def __init__(
        self,
        *,
        pretrained: str,
        language: str | None = None,
        revision: str | None = None,
        dtype: str = "auto",
        device: str | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        """Check the settings; nothing is loaded.

        Args:
            pretrained: See `HuggingFaceBackend`, as all others.
            language: What is spoken, for recognisers of several languages that must be told.
            revision: See there.
            dtype: See there.
            device: See there.
            trust_remote_code: See there.

        Raises:
            UserError: A value is not one of these.
        """
        super().__init__(
            pretrained=pretrained,
            revision=revision,
            dtype=dtype,
            device=device,
            trust_remote_code=trust_remote_code,
        )
        self._language = language

    @cached_property
    def _pipeline(self) -> Any:
        _log.info("alm_cascade: loading the recogniser %s on %s.", self.model_name, self._device)
        settings = {"dtype": self._weights_dtype(), "device": self._device}
        return self._loaded(_load, self._loading | settings)

    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
        """Load the weights, then write down each order's clip."""
        return self._transcripts(orders, self._pipeline)

    def _transcripts(
        self, orders: Sequence[DrawOrder], pipeline: Any
    ) -> Iterator[tuple[int, int, Answer]]:
        rate = int(pipeline.feature_extractor.sampling_rate)
        for position, order in enumerate(orders):
            (clip,) = order.conversation[-1].clips
            sound = {"raw": load_waveform(clip, rate), "sampling_rate": rate}
            found = pipeline(sound, **self._asked(clip_seconds(clip)))
            for index in order.indices:
                yield position, index, Answer(" ".join(str(found["text"]).split()))

    def _asked(self, seconds: float) -> dict[str, Any]:
        """What Whisper must be told."""
        told: dict[str, Any] = {}
        if self._language is not None:
            told["generate_kwargs"] = {"language": self._language, "task": "transcribe"}
        if self._config.model_type == _WHISPER and seconds > _WINDOW:
            told["return_timestamps"] = True
        return told

    def fingerprint(self) -> str | None:
        """See `HuggingFaceBackend`."""
        whole = super().fingerprint()
        return whole and f"{whole}/{self._language}"

    def describe(self) -> dict[str, object]:
        """What the results record about the recogniser."""
        return super().describe() | {"language": self._language}


def _load(path: str, **settings: Any) -> Any:
    return transformers.pipeline("automatic-speech-recognition", model=path, **settings)
