"""The parts that transformers runs, tiny and random, against plain transformers."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from ambi_tasks.audio import Clip, load_waveform
from ambi_tasks.errors import UserError
from model_adapters.backend import Answer, Decoding, DrawOrder, ScoreOrder, Turn
from model_adapters.cascade import CascadeBackend
from model_adapters.cascade.sphinx import PocketSphinx
from model_adapters.huggingface.recogniser import SpeechRecogniser
from model_adapters.huggingface.text import TextBackend
from tests.adapters.cascade.conftest import build_text_model
from tests.adapters.conftest import order

GREEDY = Decoding(max_new_tokens=6)
SAMPLED = Decoding(do_sample=True, temperature=0.9, max_new_tokens=6)
QUESTIONS = ("How do they feel?", "neutral, happy, angry, sad: which of these?")
ANSWERS = ("happy and sad", "neutral")


def asking(text: str, decoding: Decoding, indices: tuple[int, ...] = (0,)) -> DrawOrder:
    return DrawOrder((Turn("user", text),), decoding, indices, text)


def draws(backend: Any, *orders: DrawOrder) -> dict[tuple[int, int], Answer]:
    return {(position, index): answer for position, index, answer in backend.draw(orders)}


# --- the text model ------------------------------------------------------------------------------


class Plain:
    """The same checkpoint by transformers' own way."""

    def __init__(self, folder: str) -> None:
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.model: Any = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
        self.model.generation_config = transformers.GenerationConfig(
            eos_token_id=self.tokenizer.eos_token_id, pad_token_id=self.tokenizer.pad_token_id
        )

    def prompt(self, text: str) -> Any:
        return self.tokenizer.apply_chat_template(
            [{"role": "user", "content": text}],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
        )

    def generate(self, text: str, **settings: Any) -> list[str]:
        prompt = self.prompt(text)
        found = self.model.generate(**prompt, do_sample=False, **settings)
        new = found[:, prompt["input_ids"].shape[1] :].tolist()
        return [self.tokenizer.decode(tokens, skip_special_tokens=True) for tokens in new]

    def log_likelihood(self, text: str, answer: str) -> float:
        ids = self.prompt(text)["input_ids"]
        target = self.tokenizer(answer, add_special_tokens=False, return_tensors="pt").input_ids
        with torch.no_grad():
            logits = self.model(torch.cat([ids, target], dim=1)).logits
        own = logits[:, ids.shape[1] - 1 : -1].log_softmax(-1).gather(-1, target[..., None])
        return float(own.sum())


@pytest.fixture(scope="module")
def plain(text_folder: str) -> Plain:
    return Plain(text_folder)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_greedy_and_beams_equal_plain_generate(
    text_folder: str, plain: Plain, batch_size: int
) -> None:
    backend = TextBackend(pretrained=text_folder, device="cpu", batch_size=batch_size)
    found = draws(backend, *(asking(text, GREEDY) for text in QUESTIONS))
    beams = Decoding(num_beams=3, max_new_tokens=5)
    searched = draws(backend, *(asking(text, beams, (0, 1, 2)) for text in QUESTIONS))
    canonical = {"length_penalty": 0.0, "early_stopping": "never", "num_return_sequences": 3}
    for place, text in enumerate(QUESTIONS):
        assert [found[place, 0].text] == plain.generate(text, max_new_tokens=6)
        expected = plain.generate(text, num_beams=3, max_new_tokens=5, **canonical)
        assert [searched[place, rank].text for rank in range(3)] == expected


@pytest.mark.parametrize("batch_size", [1, 4])
def test_log_likelihoods_equal_teacher_forcing(
    text_folder: str, plain: Plain, batch_size: int
) -> None:
    backend = TextBackend(pretrained=text_folder, device="cpu", batch_size=batch_size)
    orders = [ScoreOrder((Turn("user", text),), ANSWERS) for text in QUESTIONS]
    found = dict(backend.log_likelihoods(orders))
    for place, text in enumerate(QUESTIONS):
        expected = [plain.log_likelihood(text, answer) for answer in ANSWERS]
        scores = [one.log_likelihood for one in found[place]]
        np.testing.assert_allclose(scores, expected, atol=1e-3)


def test_a_draw_is_the_same_in_any_batch(text_folder: str) -> None:
    orders = [asking(text, SAMPLED, (0, 1, 2, 3)) for text in QUESTIONS]
    together = draws(TextBackend(pretrained=text_folder, device="cpu", batch_size=8), *orders)
    alone = TextBackend(pretrained=text_folder, device="cpu", batch_size=1)
    for (place, index), answer in together.items():
        single = draws(alone, asking(QUESTIONS[place], SAMPLED, (index,)))[0, index]
        assert single.text == answer.text
        assert single.log_likelihood == pytest.approx(answer.log_likelihood, abs=1e-3)
    assert len({answer.text for answer in together.values()}) > 2


def test_a_model_without_a_chat_template_is_refused(tmp_path: Path) -> None:
    backend = TextBackend(pretrained=build_text_model(tmp_path, template=None), device="cpu")
    with pytest.raises(UserError, match="has no chat template"):
        draws(backend, asking("ask", GREEDY))


def test_a_template_that_takes_no_system_turn_is_told_of(tmp_path: Path) -> None:
    template = "{% if messages[0].role == 'system' %}{{ raise_exception('no!') }}{% endif %}"
    backend = TextBackend(pretrained=build_text_model(tmp_path, template), device="cpu")
    turns = (Turn("system", "Be kind."), Turn("user", "ask"))
    with pytest.raises(UserError, match="does not take turns of system, user"):
        draws(backend, DrawOrder(turns, GREEDY, (0,), "key"))


def test_a_model_that_writes_no_text_is_refused(recogniser_folder: str) -> None:
    with pytest.raises(UserError, match=r"model_type 'wav2vec2'\) is no causal language model"):
        _ = TextBackend(pretrained=recogniser_folder, device="cpu").capabilities


def test_a_text_model_that_is_not_there(tmp_path: Path) -> None:
    cascade = CascadeBackend(recogniser="x", text_model=str(tmp_path / "none"), device="cpu")
    with pytest.raises(UserError, match=r"alm_cascade cannot load .*--model_args text_model="):
        _ = cascade.capabilities


# --- the recogniser ------------------------------------------------------------------------------


def greedy_letters(folder: str, clip: Clip) -> str:
    """The best letter of each frame, repeats and blanks left out: CTC, by hand."""
    model = transformers.Wav2Vec2ForCTC.from_pretrained(folder).eval()
    extractor = transformers.Wav2Vec2FeatureExtractor.from_pretrained(folder)
    inputs = extractor(load_waveform(clip), sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        best = model(**inputs).logits[0].argmax(-1).tolist()
    names = {n: name for name, n in json.loads(Path(folder, "vocab.json").read_text()).items()}
    kept = [names[n] for n, before in zip(best, [None, *best], strict=False) if n != before]
    text = "".join(name for name in kept if name not in ("<pad>", "<s>", "</s>"))
    return " ".join(text.replace("|", " ").split())


def test_transcripts_are_the_best_letters(recogniser_folder: str, clips: list[Clip]) -> None:
    backend = SpeechRecogniser(pretrained=recogniser_folder, device="cpu")
    found = draws(backend, *(order(clip) for clip in clips))
    texts = [found[place, 0].text for place in range(len(clips))]
    assert texts == [greedy_letters(recogniser_folder, clip) for clip in clips]
    assert len(set(texts)) > 1
    assert not backend.capabilities.sampling


@pytest.mark.parametrize("language", ["en", "de"])
def test_whisper_is_told_the_language(whisper_folder: str, clip: Clip, language: str) -> None:
    model: Any = transformers.WhisperForConditionalGeneration.from_pretrained(whisper_folder).eval()
    processor = transformers.WhisperProcessor.from_pretrained(whisper_folder)
    inputs = processor(load_waveform(clip), sampling_rate=16_000, return_tensors="pt")
    told = {"language": language, "task": "transcribe"}
    tokens = model.generate(**inputs, **told, num_beams=5)  # as the pipeline does, after OpenAI
    expected = processor.batch_decode(tokens, skip_special_tokens=True)[0]
    backend = SpeechRecogniser(pretrained=whisper_folder, device="cpu", language=language)
    assert draws(backend, order(clip))[0, 0].text == " ".join(expected.split())


def test_whisper_goes_on_after_its_window(
    whisper_folder: str, make_clip: Callable[..., Clip]
) -> None:
    backend = SpeechRecogniser(pretrained=whisper_folder, device="cpu")
    found = draws(backend, order(make_clip("whole", 300, 29.5)), order(make_clip("on", 300, 31)))
    assert len(found) == 2


def test_the_language_is_part_of_the_fingerprint(recogniser_folder: str) -> None:
    def made(language: str | None) -> str | None:
        backend = SpeechRecogniser(pretrained=recogniser_folder, device="cpu", language=language)
        return backend.fingerprint()

    assert len({made(None), made("en"), made("de")}) == 3


def test_what_is_no_recogniser_is_refused(text_folder: str, clip: Clip) -> None:
    backend = SpeechRecogniser(pretrained=text_folder, device="cpu")
    with pytest.raises(UserError, match=r"alm_cascade cannot load .*--model_args recogniser="):
        backend.draw([order(clip)])


def test_pocketsphinx_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, clip: Clip) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(UserError, match="pip install pocketsphinx"):
        PocketSphinx().draw([order(clip)])


# --- both ----------------------------------------------------------------------------------------


def test_both_together_as_plain_transformers(
    recogniser_folder: str,
    text_folder: str,
    plain: Plain,
    clips: list[Clip],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("AMBI_CACHE", str(tmp_path))
    cascade = CascadeBackend(
        recogniser=recogniser_folder, text_model=text_folder, device="cpu", batch_size=4
    )
    found = draws(cascade, *(order(clip, GREEDY) for clip in clips))
    for place, clip in enumerate(clips):
        text = (
            "The recording cannot be played to you. You have its words alone, as a speech "
            f'recogniser wrote them down:\n"{greedy_letters(recogniser_folder, clip)}"\n\n'
            "How do they feel?"
        )
        assert [found[place, 0].text] == plain.generate(text, max_new_tokens=6)
    described = cascade.describe()
    assert described["text_model"]["model_type"] == "llama"  # type: ignore[index]
    assert described["recogniser"]["model_type"] == "wav2vec2"  # type: ignore[index]
    assert cascade.fingerprint() is not None
