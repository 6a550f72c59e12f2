"""PocketSphinx as a recogniser: small, fast, and its English model comes with the package."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np

from ambi_tasks.audio import SAMPLING_RATE, Waveform, load_waveform
from ambi_tasks.errors import UserError
from model_adapters.backend import Answer, Backend, Capabilities, DrawOrder

_LOUDEST = 2**15 - 1  # of 16 bits


class PocketSphinx(Backend):
    """The decoder with the package's own English models; its answer is the transcript."""

    capabilities = Capabilities(sampling=False)

    @property
    def model_name(self) -> str:
        """The package's name."""
        return "pocketsphinx"

    @cached_property
    def _package(self) -> Any:
        try:
            import pocketsphinx  # noqa: PLC0415 - optional
        except ImportError as error:
            raise UserError(
                "alm_cascade: recogniser=pocketsphinx needs a package that is not installed: "
                "pip install pocketsphinx."
            ) from error
        return pocketsphinx

    def fingerprint(self) -> str:
        """See `Backend.fingerprint`: the models are part of the package."""
        name = f"{self._package.__name__} {version('pocketsphinx')}"
        return hashlib.sha256(name.encode()).hexdigest()

    def describe(self) -> dict[str, object]:
        """What the results record about the recogniser."""
        return {"model_name": self.model_name, "pocketsphinx_version": version("pocketsphinx")}

    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
        """Write down each order's clip."""
        return self._transcripts(orders, self._package)

    @staticmethod
    def _transcripts(
        orders: Sequence[DrawOrder], package: Any
    ) -> Iterator[tuple[int, int, Answer]]:
        for position, order in enumerate(orders):
            (clip,) = order.conversation[-1].clips
            # A decoder adapts to what it hears: a new one makes a transcript the clip's alone.
            decoder = package.Decoder(samprate=SAMPLING_RATE, loglevel="FATAL")
            decoder.start_utt()
            decoder.process_raw(_sixteen_bits(load_waveform(clip)), full_utt=True)
            decoder.end_utt()
            best = decoder.hyp()
            for index in order.indices:
                yield position, index, Answer("" if best is None else best.hypstr)


def _sixteen_bits(waveform: Waveform) -> bytes:
    return (np.clip(waveform, -1, 1) * _LOUDEST).astype("<i2").tobytes()
