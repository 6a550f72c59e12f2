"""What families say of themselves: how they are loaded, how long they hear, what is refused."""

import importlib.util
import json
import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file
from transformers.integrations.peft import MIN_PEFT_VERSION

from ambi_tasks.audio import Clip
from ambi_tasks.errors import UserError
from model_adapters.backend import Decoding, Turn
from model_adapters.huggingface import HuggingFaceBackend, rows
from model_adapters.huggingface.engine import Engine
from model_adapters.huggingface.families import Family, family_of
from model_adapters.huggingface.families.granite_speech import GraniteSpeech
from model_adapters.huggingface.families.phi4_multimodal import Phi4Multimodal
from model_adapters.huggingface.families.ultravox import Ultravox
from tests.adapters.conftest import order
from tests.adapters.families import tiny

GREEDY = Decoding(max_new_tokens=4)


@pytest.fixture
def built(tmp_path: Path) -> Callable[[str], HuggingFaceBackend]:
    def build(model_type: str, **settings: Any) -> HuggingFaceBackend:
        torch.manual_seed(0)
        getattr(tiny, model_type)(tmp_path)
        return HuggingFaceBackend(pretrained=str(tmp_path), device="cpu", **settings)

    return build


def configured(folder: Path, **config: Any) -> HuggingFaceBackend:
    """A checkpoint that holds nothing but a config."""
    (folder / "config.json").write_text(json.dumps(config))
    return HuggingFaceBackend(pretrained=str(folder), device="cpu")


def test_of_a_whole_omni_checkpoint_only_the_thinker_is_loaded(
    built: Callable[..., HuggingFaceBackend], tmp_path: Path
) -> None:
    model = built("qwen2_5_omni")._engine._model
    saved = load_file(tmp_path / "model.safetensors")
    parts = {name.split(".")[0] for name in saved}
    assert parts == {"thinker", "talker", "token2wav"}
    assert isinstance(model, transformers.Qwen2_5OmniThinkerForConditionalGeneration)
    thinker = [values for name, values in saved.items() if name.startswith("thinker.")]
    assert sum(values.numel() for values in thinker) == sum(
        values.numel() for values in model.state_dict().values()
    )
    torch.testing.assert_close(model.lm_head.weight.data, saved["thinker.lm_head.weight"])


def extractor(**settings: Any) -> Any:
    return SimpleNamespace(feature_extractor=SimpleNamespace(sampling_rate=16_000, **settings))


@pytest.mark.parametrize(
    ("model_type", "processor", "seconds"),
    [
        ("qwen2_audio", extractor(chunk_length=30), 30),
        ("qwen2_5_omni", extractor(chunk_length=300), 300),
        ("qwen3_omni_moe", extractor(chunk_length=300), None),
        ("audioflamingo3", SimpleNamespace(max_audio_len=600), 600),
        ("musicflamingo", SimpleNamespace(max_audio_len=1200), 1200),
        ("voxtral", extractor(chunk_length=30), 2400),
        ("phi4_multimodal", extractor(), 180),
        ("gemma3n", extractor(), 30),
        ("granite_speech", SimpleNamespace(audio_processor=SimpleNamespace()), None),
        ("ultravox", SimpleNamespace(), 30),
        ("glmasr", SimpleNamespace(max_audio_len=655), 655),
    ],
)
def test_how_long_a_family_hears(model_type: str, processor: Any, seconds: float | None) -> None:
    assert family_of(model_type).longest_audio(processor) == seconds


def test_windows_that_the_processor_makes_are_heard_and_the_rest_is_cut(
    built: Callable[..., HuggingFaceBackend], make_clip: Callable[..., Clip]
) -> None:
    backend = built("audioflamingo3", long_audio="truncate")
    backend._engine._processor.max_audio_len = 2 * tiny.WINDOW
    long = make_clip("longer", 300, 2 * tiny.WINDOW + 1.0)
    ((_, _, cut),) = backend.draw([order(long, GREEDY)])
    ((_, _, heard),) = backend.draw([order(Clip(long.path, 0.0, 2.0 * tiny.WINDOW), GREEDY)])
    ((_, _, window),) = backend.draw([order(Clip(long.path, 0.0, float(tiny.WINDOW)), GREEDY)])
    assert cut == heard
    assert cut != window
    told = backend.describe()
    assert (told["longest_audio"], told["clips_truncated"]) == (2.0 * tiny.WINDOW, 1)


class TestWithoutAFamily:
    """Models that the Auto classes know, and no file of ours does."""

    def test_one_sentence_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        logging.getLogger("lm_eval").propagate = True
        with caplog.at_level(logging.INFO, logger="lm_eval"):
            found = [family_of("vibevoice_asr") for _ in range(2)]
        assert found[0] is found[1]
        assert (found[0].tested, found[0].reads_together) == (False, False)
        logged = [record.message for record in caplog.records]
        assert len(logged) == 1
        assert "'vibevoice_asr'" in logged[0]
        assert "AutoModelForMultimodalLM" in logged[0]

    @pytest.mark.parametrize("model_type", ["bert", "llava", "whisper", "phi4mm"])
    def test_what_does_not_hear_and_write_is_refused(self, model_type: str) -> None:
        with pytest.raises(UserError, match=f"no family for model_type '{model_type}'"):
            family_of(model_type)

    def test_a_decoder_of_its_own_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="'seamless_m4t' has a decoder apart"):
            _ = configured(tmp_path, model_type="seamless_m4t").capabilities

    def test_what_goes_on_otherwise_behind_a_kept_prompt_is_refused(
        self,
        built: Callable[..., HuggingFaceBackend],
        clips: list[Clip],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        backend = built("glmasr")
        right = rows.token_positions
        monkeypatch.setattr(rows, "token_positions", lambda mask: right(mask) + 40)
        message = "'glmasr': behind a prompt that was kept, its probabilities are others"
        with pytest.raises(UserError, match=message):
            list(backend.draw([order(clips[0], GREEDY)]))
        monkeypatch.undo()
        assert len(list(backend.draw([order(clips[0], GREEDY)]))) == 1

    def test_a_recurrent_state_is_refused(
        self,
        built: Callable[..., HuggingFaceBackend],
        clips: list[Clip],
    ) -> None:
        """A language model with recurrent layers, behind an encoder that works."""
        text = tiny.decoder(320, tiny.build_tokenizer("<|pad|>"), model_type="qwen3_next")
        recurrent = {
            "layer_types": ["linear_attention", "full_attention"],
            "linear_num_value_heads": 2,
            "linear_num_key_heads": 2,
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
            "head_dim": 8,
            "num_experts": 0,
        }
        backend = built("glmasr")
        engine = backend._engine
        config = transformers.GlmAsrConfig(
            audio_config=engine._model.config.audio_config.to_dict(),
            text_config=text | recurrent,
            audio_token_id=engine._model.config.audio_token_id,
        )
        model = transformers.GlmAsrForConditionalGeneration(config).eval()
        model.generation_config.eos_token_id = engine._tokenizer.eos_token_id
        family = family_of("glmasr")
        other = Engine(model, engine._processor, family, 1, "refuse")
        with pytest.raises(UserError, match="keeps more of its prompt than keys and values"):
            list(other.draw([order(clips[0], GREEDY)]))

    def test_what_fails_is_one_sentence(
        self,
        built: Callable[..., HuggingFaceBackend],
        clips: list[Clip],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        backend = built("glmasr")

        def failing(*_: Any, **__: Any) -> Any:
            raise TypeError("got an unexpected keyword argument 'audio'")

        monkeypatch.setattr(type(backend._engine._processor), "__call__", failing)
        with pytest.raises(UserError, match=r"as most models are, it fails \(got an unexpected"):
            list(backend.draw([order(clips[0], GREEDY)]))


def test_a_missing_library_is_one_sentence(
    built: Callable[..., HuggingFaceBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any, **__: Any) -> Any:
        raise ImportError("\nThisProcessor requires the nowhere library.\nInstall it ...")

    backend = built("glmasr")
    monkeypatch.setattr(family_of("glmasr"), "load_processor", missing)
    message = "ThisProcessor requires the nowhere library. Install that, or run another"
    with pytest.raises(UserError, match=message):
        _ = backend._engine


class TestUltravox:
    """Its code is on the hub, so that only what surrounds it can be seen to."""

    CODE = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n"

    def test_its_code_is_not_run_unless_the_user_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "ultravox_config.py").write_text(self.CODE)
        remote = {"AutoConfig": "ultravox_config.UltravoxConfig"}
        backend = configured(tmp_path, model_type="ultravox", auto_map=remote)
        with pytest.raises(UserError, match="allow it with --model_args trust_remote_code=True"):
            _ = backend.capabilities
        assert not list(tmp_path.rglob("ran"))

    def test_the_processor_gets_one_text_and_one_clip(self) -> None:
        tokenizer = tiny.build_tokenizer("<|audio|>")
        heard = SimpleNamespace(feature_extractor=SimpleNamespace(sampling_rate=16_000))
        calls = []

        class Recorder:
            audio_processor = heard

            def __call__(self, **inputs: Any) -> dict[str, Any]:
                calls.append(inputs)
                return {}

        Recorder.tokenizer = tokenizer  # type: ignore[attr-defined]
        conversation = (Turn("system", "Be brief."), Turn("user", "How?", (Clip("a.wav"),)))
        waveform = torch.zeros(16).numpy()
        Ultravox.inputs(Recorder(), [conversation], [waveform])
        Ultravox.inputs(Recorder(), [(Turn("user", "How?"),)], [])
        with_clip, without = calls
        assert with_clip["text"].count("<|audio|>") == 1
        assert "user\n<|audio|>\nHow?" in with_clip["text"]
        assert with_clip["audio"] is waveform
        assert with_clip["sampling_rate"] == 16_000
        assert set(without) == {"text"}


def save_lora(folder: Path, model: Any, modules: list[str]) -> None:
    """Save a random LoRA of a model."""
    peft = pytest.importorskip("peft", MIN_PEFT_VERSION)
    model.add_adapter(peft.LoraConfig(r=4, target_modules=modules, init_lora_weights=False))
    model.save_pretrained(str(folder / "whole"))
    for file in (folder / "whole").glob("adapter_*"):
        file.rename(folder / file.name)


def generated(model: Any, processor: Any, clip: Clip) -> str:
    """Greedy, plainly, the first answer's text."""
    content = [{"type": "audio", "path": clip.path}, {"type": "text", "text": "How do they feel?"}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        tokenize=True,
        return_dict=True,
        add_generation_prompt=True,
        return_tensors="pt",
    )
    output = model.generate(**inputs, max_new_tokens=4, do_sample=False)
    new = output[0, inputs["input_ids"].shape[1] :]
    return str(processor.tokenizer.decode(new, skip_special_tokens=True))


@pytest.mark.skipif(importlib.util.find_spec("peft") is not None, reason="peft is installed")
class TestWithoutPeft:
    def test_granite_speech_is_refused(self, tmp_path: Path) -> None:
        model, _ = tiny.granite_speech(lora=True)
        model.save_pretrained(tmp_path)
        with pytest.raises(ImportError, match="its LoRA for speech needs the library peft"):
            GraniteSpeech.load_model(str(tmp_path))

    def test_phi4_multimodal_is_refused_where_it_has_a_lora(
        self, built: Callable[..., HuggingFaceBackend], tmp_path: Path
    ) -> None:
        backend = built("phi4_multimodal")
        (tmp_path / "speech-lora").mkdir()
        (tmp_path / "speech-lora" / "adapter_config.json").write_text("{}")
        with pytest.raises(UserError, match="its LoRA for speech needs the library peft"):
            _ = backend._engine


class TestWithPeft:
    """A LoRA for speech is on in every draw; skipped without a peft that transformers takes."""

    def test_phi4_multimodal_speaks_with_its_lora(
        self, built: Callable[..., HuggingFaceBackend], tmp_path: Path, clips: list[Clip]
    ) -> None:
        ((_, _, plain),) = built("phi4_multimodal").draw([order(clips[0], GREEDY)])
        model = Phi4Multimodal.load_model(str(tmp_path), dtype=torch.float32).eval()
        save_lora(tmp_path / "speech-lora", model, ["qkv_proj"])
        adapted = HuggingFaceBackend(pretrained=str(tmp_path), device="cpu")
        found = [answer.text for _, _, answer in adapted.draw([order(clips[0], GREEDY, draws=2)])]
        expected = generated(model, adapted._engine._processor, clips[0])
        assert found == [expected] * 2
        assert expected != plain.text, "the LoRA changes nothing"

    def test_granite_speech_keeps_its_lora_on(self, tmp_path: Path, clips: list[Clip]) -> None:
        torch.manual_seed(0)
        model, processor = tiny.granite_speech(lora=True)
        model.save_pretrained(tmp_path)
        without = generated(model, processor, clips[0])
        save_lora(tmp_path, model, ["q_proj", "v_proj"])
        reference = transformers.GraniteSpeechForConditionalGeneration.from_pretrained(tmp_path)
        expected = generated(reference.eval(), processor, clips[0])
        assert expected != without, "the LoRA changes nothing"
        loaded = GraniteSpeech.load_model(str(tmp_path)).eval()
        engine = Engine(loaded, processor, GraniteSpeech, 2, "refuse")
        found = [answer.text for _, _, answer in engine.draw([order(clips[0], GREEDY, draws=2)])]
        assert found == [expected] * 2


def test_a_family_of_another_package_replaces_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    families = family_of.__globals__["_FAMILIES"]
    monkeypatch.setitem(families, "glmasr", type("Mine", (Family,), {"model_type": "glmasr"}))
    assert family_of("glmasr").__name__ == "Mine"
