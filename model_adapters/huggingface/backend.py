"""`alm_hf`: settings, and weights that load at the first draw."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
import transformers

import ambi_tasks
from ambi_tasks.errors import UserError
from model_adapters.backend import (
    Answer,
    Backend,
    Capabilities,
    DrawOrder,
    Score,
    ScoreOrder,
)
from model_adapters.huggingface.checkpoint import (
    checkpoint_files,
    checkpoint_sha256,
    lora_base,
)
from model_adapters.huggingface.engine import LONG_AUDIO, Engine
from model_adapters.huggingface.families import Family, family_of, import_families
from model_adapters.processes import local_rank, process_count
from model_adapters.registry import register_adapter

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

DEFAULT_MODEL = "Qwen/Qwen2-Audio-7B-Instruct"
DEMO = "demo"
_Found = TypeVar("_Found")
_DTYPES = ("auto", "float32", "float16", "bfloat16")


@register_adapter("alm_hf")
class HuggingFaceBackend(Backend):
    """An audio-language model of a family in `families`, run by transformers."""

    called: ClassVar[str] = "alm_hf"
    named_by: ClassVar[str] = "pretrained"

    def __init__(
        self,
        *,
        pretrained: str | None = None,
        revision: str | None = None,
        dtype: str = "auto",
        device: str | None = None,
        device_map: str | None = None,
        attn_implementation: str | None = None,
        load_in_4bit: bool = False,
        load_in_8bit: bool = False,
        quantization_config: Mapping[str, Any] | str | None = None,
        trust_remote_code: bool = False,
        long_audio: str = "refuse",
        batch_size: int | str = 1,
        max_batch_size: int | None = None,
    ) -> None:
        """Check the settings; nothing is loaded.

        Args:
            pretrained: Hub name or folder; `demo` is the bundled model.
            revision: Branch, tag or commit of the hub's repository.
            dtype: Of the weights; `auto` is the checkpoint's, but float32 on a CPU.
            device: For example `cuda:0` or `cpu`; the CPU where CUDA is asked for and absent.
            device_map: Given to transformers; the weights are then not moved to `device`.
            attn_implementation: Given to transformers.
            load_in_4bit: Quantise the weights by bitsandbytes, to 4 bits each.
            load_in_8bit: The same, to 8.
            quantization_config: Given to transformers, for other ways: a mapping, or its JSON, with
                a `quant_method`.
            trust_remote_code: Run code that a checkpoint brings.
            long_audio: `refuse` or `truncate` clips beyond the model's window, or `chunk` them:
                show them in equal pieces.
            batch_size: Answers that are decoded at once; all beams of a clip are, however many.
                `auto` guesses from the free memory. Where memory runs out, it is halved.
            max_batch_size: Only for the harness's sake.

        Raises:
            UserError: A value is not one of these.
        """
        del max_batch_size
        if dtype not in _DTYPES:
            raise UserError(f"--model_args dtype is one of {', '.join(_DTYPES)}, not '{dtype}'.")
        if long_audio not in LONG_AUDIO:
            raise UserError(
                f"--model_args long_audio is one of {', '.join(LONG_AUDIO)}, not '{long_audio}'."
            )
        if pretrained is None:
            pretrained = DEFAULT_MODEL
            _log.warning(
                "alm_hf: no model was named, so %s would be loaded at the first request; name "
                "another with --model_args pretrained=..., or try the bundled pretrained=%s.",
                DEFAULT_MODEL,
                DEMO,
            )
        self._pretrained = str(pretrained)
        self._loading = {
            "revision": revision,
            "trust_remote_code": trust_remote_code,
        }
        self._placing = {
            "device_map": device_map,
            "attn_implementation": attn_implementation,
            "quantization_config": _quantisation(load_in_4bit, load_in_8bit, quantization_config),
        }
        self._dtype = dtype
        self._device = _device(device)
        self._long_audio = long_audio
        self._batch_size = _batch_size(batch_size)

    @property
    def model_name(self) -> str:
        """What the user named."""
        return self._pretrained

    @cached_property
    def _path(self) -> str:
        if self._pretrained == DEMO:
            return str(Path(ambi_tasks.__file__).parent / "demo" / "model")
        return self._pretrained

    @cached_property
    def _config(self) -> Any:
        import_families()  # a package may bring a config class that transformers lacks
        return self._loaded(transformers.AutoConfig.from_pretrained, self._loading)

    @cached_property
    def _family(self) -> type[Family]:
        if getattr(self._config, "is_encoder_decoder", False):
            raise UserError(
                f"alm_hf runs models whose prompt and answer are one text; "
                f"'{self._config.model_type}' has a decoder apart from it."
            )
        return family_of(self._config.model_type)

    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override] # known with the config
        """Those of the family, with what the engine adds."""
        return Capabilities(
            beams=True,
            draw_log_likelihood=True,
            log_likelihood=True,
            system_turn=self._family.system_turn,
            clips=self._family.clips,
            repeatable=self._device == "cpu" and self._weights_dtype() == torch.float32,
        )

    @cached_property
    def _engine(self) -> Engine:
        _log.info("%s: loading %s on %s.", self.called, self._pretrained, self._device)
        processor = self._loaded(self._family.load_processor, self._loading)
        settings = {name: value for name, value in self._placing.items() if value is not None}
        if "quantization_config" in settings:  # what is quantised must be placed when it is loaded
            settings.setdefault("device_map", {"": self._device})
        model = self._loaded(
            self._family.load_model, self._loading | settings | {"dtype": self._weights_dtype()}
        )
        if "device_map" not in settings:
            model = model.to(self._device)
        return Engine(model.eval(), processor, self._family, self._batch_size, self._long_audio)

    def _weights_dtype(self) -> Any:
        if self._dtype != "auto":
            return getattr(torch, self._dtype)
        # Half precision is slow and inexact on a CPU, where memory is not what is short.
        return torch.float32 if self._device == "cpu" else "auto"

    def _loaded(self, load: Callable[..., Any], settings: dict[str, Any]) -> Any:
        try:
            return load(self._path, **settings)
        except (ImportError, OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0].strip().rstrip(".")
            raise UserError(
                f"{self.called} cannot load '{self._pretrained}': {reason}. "
                f"{_advice(error, self.named_by)}"
            ) from error

    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
        """Load the weights, then make draws, see `Backend.draw`."""
        return self._telling_of_cuts(self._engine.draw(orders))

    def log_likelihoods(self, orders: Sequence[ScoreOrder]) -> Iterator[tuple[int, list[Score]]]:
        """Load the weights, then score given answers, see `Backend.log_likelihoods`."""
        return self._telling_of_cuts(self._engine.log_likelihoods(orders))

    def _telling_of_cuts(self, found: Iterator[_Found]) -> Iterator[_Found]:
        yield from found
        for clips, what in (
            (self._engine.truncated, "cut to the model's window"),
            (self._engine.chunked, "shown in pieces that fit the model's window"),
        ):
            if clips:
                _log.warning("alm_hf: %d clip(s) were %s.", len(clips), what)

    @cached_property
    def _model_sha(self) -> str | None:
        """The hub's commit, or a hash of a local checkpoint's files."""
        commit = getattr(self._config, "_commit_hash", None)
        return checkpoint_sha256(Path(self._path)) if Path(self._path).is_dir() else commit

    @cached_property
    def _base(self) -> "HuggingFaceBackend | None":
        """The checkpoint under a local LoRA, None where there is none."""
        base = lora_base(Path(self._path))
        return None if base is None else HuggingFaceBackend(pretrained=base, device=self._device)

    def fingerprint(self) -> str | None:
        """See `Backend.fingerprint`: checkpoint, precision, device, libraries and our own code."""
        base = self._base.fingerprint() if self._base else ""
        if self._model_sha is None or base is None:
            return None
        kind = torch.device(self._device).type  # of several processes each has another of them
        adapters = Path(__file__).parents[1]
        code = sorted(set(adapters.rglob("*.py")) - set(adapters.glob("conformance/*.py")))
        folder = Path(self._path)
        files = checkpoint_files(folder) if folder.is_dir() else []
        content = [
            self._model_sha,
            base,
            # The hash samples large files; a change between its blocks shows in the file's time.
            *(f"{path.relative_to(folder)}:{path.stat().st_mtime_ns}" for path in files),
            *(str(value) for value in (self._weights_dtype(), kind, self._long_audio)),
            *(f"{name}={value}" for name, value in sorted(self._placing.items())),
            *(version(name) for name in ("torch", "transformers", "tokenizers", "soxr")),
            *(hashlib.sha256(path.read_bytes()).hexdigest() for path in code),
        ]
        return hashlib.sha256("/".join(content).encode()).hexdigest()

    def describe(self) -> dict[str, object]:
        """What the results record about the model."""
        return {
            "model_name": self.model_name,
            "model_type": self._config.model_type,
            "model_sha": self._model_sha,
            "model_dtype": str(self._weights_dtype()).removeprefix("torch."),
            "model_device": self._device,
            # What is known of the loaded model; all draws may have been kept by earlier runs.
            **(self.__dict__["_engine"].describe() if "_engine" in self.__dict__ else {}),
            "long_audio": self._long_audio,
            "ambi_tasks_version": ambi_tasks.__version__,
            "torch_version": version("torch"),
        }


def _advice(error: Exception, named_by: str) -> str:
    if isinstance(error, ImportError):
        return f"Install that, or run another model with --model_args {named_by}=..."
    if "trust_remote_code" in str(error):
        return "Once you have read that code, allow it with --model_args trust_remote_code=True."
    advice = f"Name a folder or a hub model with --model_args {named_by}=..."
    if named_by != "pretrained":
        return f"{advice}."
    return f"{advice}, or try the bundled one with pretrained={DEMO}."


def _device(asked: str | None) -> str:
    """The harness asks for `cuda:0` unless the user says otherwise, even where there is none.

    Of several processes each takes a device of its own.
    """
    if asked is None or (str(asked) == "cuda:0" and process_count() > 1):
        return f"cuda:{local_rank()}" if torch.cuda.is_available() else "cpu"
    asked = str(asked)
    if asked in ("cuda", "cuda:0") and not torch.cuda.is_available():
        _log.info("alm_hf: no CUDA device is there; using the CPU.")
        return "cpu"
    try:
        torch.device(asked)
    except RuntimeError as error:
        raise UserError(
            f"--device '{asked}' is none that torch knows, such as cpu or cuda:0."
        ) from error
    if asked.startswith("cuda:") and int(asked[5:]) >= torch.cuda.device_count():
        raise UserError(f"--device {asked}: there are {torch.cuda.device_count()} CUDA devices.")
    return asked


def _quantisation(
    four: bool, eight: bool, config: Mapping[str, Any] | str | None
) -> Mapping[str, Any] | None:
    """What transformers is to be told, None where the weights stay as they are."""
    if four + eight + (config is not None) > 1:
        raise UserError(
            "--model_args: load_in_4bit, load_in_8bit and quantization_config exclude each other."
        )
    if four or eight:
        bits = "load_in_4bit" if four else "load_in_8bit"
        return {"quant_method": "bitsandbytes", bits: True}
    if isinstance(config, str):
        try:
            config = json.loads(config)
        except json.JSONDecodeError as error:
            raise UserError(f"--model_args quantization_config is no JSON ({error}).") from error
    if config is not None and (not isinstance(config, Mapping) or "quant_method" not in config):
        raise UserError(
            "--model_args quantization_config must be an object with a quant_method, such as "
            '{"quant_method": "bitsandbytes", "load_in_4bit": true}.'
        )
    return config


def _batch_size(asked: int | str) -> int | None:
    """A number; None where it is left to the engine."""
    if str(asked).partition(":")[0] == "auto":  # `auto:4` is for engines that search anew
        return None
    if not str(asked).isdecimal() or int(asked) < 1:
        raise UserError(
            f"--batch_size must be a whole number above 0, or auto, for alm_hf, not '{asked}'."
        )
    return int(asked)
