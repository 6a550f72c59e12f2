"""Train the demo model: `python -m ambi_tasks.demo.train`.

Four stages, each of a fixed number of steps. First the audio encoder alone learns to hear the
prosody, from every frame: without this the model learns to write plausible answers long before it
listens. Then the whole model learns to answer, while the encoder goes on. After that it learns to
judge answers, and to answer however the prompt is worded. At last all of it is refined at a lower
learning rate.
"""

import argparse
import math
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from ambi_tasks.demo import MODEL_FOLDER
from ambi_tasks.demo.dialogues import GRID_STEPS, LABEL_INVENTORY
from ambi_tasks.demo.judging import HIGH, LOW
from ambi_tasks.demo.model_card import write_card
from ambi_tasks.demo.prompt_forms import (
    COT_FORMS,
    DIRECT_FORMS,
    JUDGING_SHEETS,
    LABEL_FORMS,
    REFINING_SHEETS,
    SHEETS,
    VERIFIER_FORMS,
    Sheet,
)
from ambi_tasks.demo.speech import draw_clips, espeak_version
from ambi_tasks.demo.splits import TRAINING, VALIDATION
from ambi_tasks.demo.tiny_model import ModelSize, build_model, build_processor, save_model
from ambi_tasks.demo.training_data import (
    NON_SPEECH_SHARE,
    Batch,
    TrainingClip,
    TrainingSet,
    non_speech_clips,
    spoken_clips,
)
from ambi_tasks.errors import UserError

VALIDATION_CLIPS = 240
"""Clips that decisions are made on."""

DEFAULT_CACHE = Path.home() / ".cache" / "ambi_tasks" / "demo"


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the training.

    Attributes:
        hearing_steps: Steps of the first stage.
        steps: Steps of the second stage.
        judging_steps: Steps of the third stage.
        refining_steps: Steps of the last stage.
        clips: Spoken clips.
        batch_size: Clips per step; twice as many in the first stage, which asks nothing.
        learning_rate: Peak of the learning rate.
        hearing_weight: Weight of the prosody's error after the first stage.
        bootstrap_raters: Annotators drawn anew for each target.
        validation_every: Steps between two measurements on the validation clips.
        seed: Seed of weights, clips and batches.
    """

    hearing_steps: int = 1500
    steps: int = 1100
    judging_steps: int = 1500
    refining_steps: int = 900
    clips: int = 12_000
    batch_size: int = 16
    learning_rate: float = 1e-3
    hearing_weight: float = 0.5
    bootstrap_raters: int = 20
    validation_every: int = 250
    seed: int = 0


class Learner(nn.Module):
    """The model with a head that reads the prosody off every frame; the head is not saved.

    Args:
        model: A `Qwen2AudioForConditionalGeneration`.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        # The plain attention trains faster on processors than torch's fused one.
        self.model.set_attn_implementation("eager")
        self.head = nn.Linear(model.config.audio_config.d_model, 4)

    def hear(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Run the audio encoder on the batch's own length rather than on the full window.

        The same computation as the encoder's, less the masked frames that nothing looks at.

        Returns:
            Frames (B, F, D), and which of them hold sound, (B, F).
        """
        encoder = self.model.model.audio_tower
        hidden = nn.functional.gelu(encoder.conv1(batch.features))
        hidden = nn.functional.gelu(encoder.conv2(hidden)).transpose(1, 2)
        hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
        lengths, pooled = encoder._get_feat_extract_output_lengths(batch.feature_lengths)  # noqa: SLF001
        inside = torch.arange(hidden.shape[1]) < lengths[:, None]
        mask = torch.zeros(inside.shape).masked_fill(~inside, torch.finfo(torch.float32).min)
        for layer in encoder.layers:
            hidden = layer(hidden, mask[:, None, None, :])
        frames = encoder.avg_pooler(hidden.transpose(1, 2)).transpose(1, 2)
        return encoder.layer_norm(frames), torch.arange(frames.shape[1]) < pooled[:, None]

    def hearing_loss(
        self, frames: torch.Tensor, inside: torch.Tensor, prosody: torch.Tensor
    ) -> torch.Tensor:
        """Mean squared error of the prosody that each frame tells.

        Args:
            frames: (B, F, D), of `hear`.
            inside: (B, F), of `hear`.
            prosody: (B, 4), NaN without speech.
        """
        counted = inside & ~prosody.isnan().any(dim=1, keepdim=True)
        errors = (self.head(frames.float()) - prosody.nan_to_num()[:, None]) ** 2
        error: torch.Tensor = errors.mean(dim=-1)[counted].sum() / counted.sum().clamp(min=1)
        return error

    def answer_loss(self, frames: torch.Tensor, inside: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Cross-entropy of the answers' tokens.

        Args:
            frames: (B, F, D), of `hear`.
            inside: (B, F), of `hear`.
            batch: The batch.
        """
        model = self.model.model
        embeddings = model.get_input_embeddings()(batch.input_ids)
        heard = model.multi_modal_projector(frames[inside]).to(embeddings.dtype)
        audio = (batch.input_ids == self.model.config.audio_token_id)[..., None]
        embeddings = embeddings.masked_scatter(audio.expand_as(embeddings), heard)
        mask = torch.zeros(batch.visible.shape)
        mask.masked_fill_(~batch.visible, torch.finfo(torch.float32).min)
        hidden = model.language_model(
            inputs_embeds=embeddings,
            attention_mask=mask[:, None],
            position_ids=batch.positions,
            use_cache=False,
        ).last_hidden_state
        rows, places = batch.answered.nonzero(as_tuple=True)
        logits = self.model.lm_head(hidden[rows, batch.parents[rows, places]]).float()
        return nn.functional.cross_entropy(logits, batch.input_ids[rows, places])


def train_model(
    clips: Sequence[TrainingClip],
    validation: Sequence[TrainingClip],
    settings: Settings,
    size: ModelSize,
    checkpoints: Path | None = None,
) -> tuple[Any, Any]:
    """Train a model from random weights.

    Args:
        clips: What it is trained on.
        validation: What is measured now and then; nothing follows from it here.
        settings: The settings.
        size: Shape of the model.
        checkpoints: Folder that keeps the weights after each stage; a stage whose weights it holds
            already is not trained again.

    Returns:
        The model, in float32, and its processor.
    """
    torch.manual_seed(settings.seed)
    processor = build_processor(size)
    learner = Learner(build_model(size, processor.tokenizer))
    training_set = TrainingSet(clips, processor, settings.bootstrap_raters)
    validation_set = TrainingSet(validation, processor, settings.bootstrap_raters)
    for number, stage in enumerate(_stages(learner, settings)):
        kept = None if checkpoints is None else checkpoints / f"{stage.name}.pt"
        if kept is not None and kept.exists():
            learner.load_state_dict(torch.load(kept))
            continue
        generator = np.random.default_rng([settings.seed, len(clips), number])
        batches = training_set.batches(stage.batch_size, generator, stage.sheets)
        _run_stage(stage, learner, _one_ahead(batches), settings, validation_set)
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            torch.save(learner.state_dict(), kept)
    learner.model.set_attn_implementation("sdpa")
    return learner.model.eval(), processor


def _one_ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches; the next one is made while the last one is used."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches)
        while True:
            batch = coming.result()
            coming = pool.submit(next, batches)
            yield batch


@dataclass(frozen=True, slots=True)
class _Stage:
    """What one stage trains: which parameters, by which losses, on what is asked.

    Attributes:
        name: Its name.
        steps: Its steps.
        batch_size: Clips per step.
        parameters: What is trained.
        hearing: Weight of the error of the prosody.
        sheets: What is asked; nothing where there is none.
        learning_rate: Peak of the learning rate, relative to that of the settings.
    """

    name: str
    steps: int
    batch_size: int
    parameters: list[nn.Parameter]
    hearing: float
    sheets: Sequence[Sheet]
    learning_rate: float = 1.0


def _stages(learner: Learner, settings: Settings) -> list[_Stage]:
    ears = list(learner.model.model.audio_tower.parameters())
    head = list(learner.head.parameters())
    whole, few, weight = list(learner.parameters()), settings.batch_size, settings.hearing_weight
    return [
        _Stage("hearing", settings.hearing_steps, 2 * few, ears + head, 1.0, ()),
        _Stage("answering", settings.steps, few, whole, weight, SHEETS),
        _Stage("judging", settings.judging_steps, few, whole, weight, JUDGING_SHEETS),
        _Stage("refining", settings.refining_steps, few, whole, weight, REFINING_SHEETS, 0.6),
    ]


def _run_stage(
    stage: _Stage,
    learner: Learner,
    batches: Iterator[Batch],
    settings: Settings,
    validation_set: TrainingSet,
) -> None:
    learner.requires_grad_(False)
    for parameter in stage.parameters:
        parameter.requires_grad_(True)
    learner.model.model.audio_tower.embed_positions.requires_grad_(False)
    learner.train()
    trained = [parameter for parameter in stage.parameters if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, weight_decay=0.05, betas=(0.9, 0.98))
    recent: list[float] = []
    for step in (bar := tqdm(range(stage.steps), stage.name, unit="step")):
        for group in optimizer.param_groups:
            factor = stage.learning_rate * _learning_rate_factor(step, stage.steps)
            group["lr"] = settings.learning_rate * factor
        loss = _loss(stage, learner, next(batches))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        recent = [*recent[-49:], loss.item()]
        bar.set_postfix(loss=f"{np.mean(recent):.4f}", refresh=False)
        if (step + 1) % settings.validation_every == 0 and validation_set.clips:
            measured = validation_losses(learner, validation_set)
            numbers = ", ".join(f"{key} {value:.4f}" for key, value in measured.items())
            tqdm.write(f"{stage.name} {step + 1}: loss {np.mean(recent):.4f}, {numbers}")


def _learning_rate_factor(step: int, steps: int) -> float:
    """Warm up, then fall like a cosine to 2 %."""
    warm_up = min(1.0, (step + 1) / 60)
    return warm_up * (0.51 + 0.49 * math.cos(math.pi * step / steps))


def _loss(stage: _Stage, learner: Learner, batch: Batch) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        frames, inside = learner.hear(batch)
        loss = torch.zeros(())
        if stage.hearing:
            loss = loss + stage.hearing * learner.hearing_loss(frames, inside, batch.prosody)
        if stage.sheets:
            loss = loss + learner.answer_loss(frames, inside, batch)
    return loss


_VALIDATED = {
    "direct": DIRECT_FORMS[:1],
    "cot": COT_FORMS[:1],
    "label": LABEL_FORMS[:1],
    "verdicts": VERIFIER_FORMS[:1],
}


def validation_losses(learner: Learner, clips: TrainingSet) -> dict[str, float]:
    """Measure the losses on at most 192 clips, with the same prompts and targets each time.

    Returns:
        The error of the prosody, and the error per token of some forms' answers.
    """
    learner.eval()
    chunks = [np.arange(min(192, len(clips.clips)))[start::6] for start in range(6)]
    losses: dict[str, list[float]] = {}
    for name, forms in _VALIDATED.items():
        generator = np.random.default_rng(0)
        for chunk in filter(len, chunks):
            batch = clips.batch(chunk, generator, [Sheet(name, 1.0, (forms,))], augment=False)
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                frames, inside = learner.hear(batch)
                heard = learner.hearing_loss(frames, inside, batch.prosody)
                losses.setdefault("hearing", []).append(heard.item())
                answered = learner.answer_loss(frames, inside, batch)
                losses.setdefault(name, []).append(answered.item())
    learner.train()
    return {name: float(np.mean(values)) for name, values in losses.items()}


def training_facts(
    settings: Settings, size: ModelSize, model: Any, seconds: float
) -> dict[str, Any]:
    """What the model card says about the training."""
    return {
        **asdict(settings),
        **asdict(size),
        "millions": sum(parameter.numel() for parameter in model.parameters()) / 1e6,
        "vocabulary": model.config.text_config.vocab_size,
        "inventory": len(LABEL_INVENTORY),
        "grid": 1 / GRID_STEPS,
        "low": LOW,
        "high": HIGH,
        "hearing_batch": 2 * settings.batch_size,
        "share": NON_SPEECH_SHARE,
        "training_voices": len(TRAINING.voices),
        "training_sentences": len(TRAINING.sentences),
        "fewest": TRAINING.raters[0],
        "most": TRAINING.raters[1],
        "synthesizer": espeak_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "minutes": seconds / 60,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Train the demo model of ambi_tasks.")
    parser.add_argument("--out", type=Path, default=MODEL_FOLDER, help="folder of the model")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder of the clips")
    parser.add_argument("--checkpoints", type=Path, help="folder of the weights of each stage")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of torch")
    defaults = Settings()
    for name, value in asdict(defaults).items():
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=type(value), default=value, help=f"default: {value}")
    options = vars(parser.parse_args(arguments))
    out, cache, threads = options.pop("out"), options.pop("cache"), options.pop("threads")
    checkpoints = options.pop("checkpoints")
    torch.set_num_threads(threads)
    try:
        _train_and_save(Settings(**options), out, cache, checkpoints)
    except UserError as error:
        raise SystemExit(str(error)) from error
    print(f"The model is in {out}.")


def _train_and_save(settings: Settings, out: Path, cache: Path, checkpoints: Path | None) -> None:
    started = time.monotonic()
    size = ModelSize()
    generator = np.random.default_rng([settings.seed, 99])
    spoken = spoken_clips(list(draw_clips(TRAINING, settings.clips, settings.seed)), cache)
    others = round(NON_SPEECH_SHARE * settings.clips)
    silent = non_speech_clips(others, generator, size.seconds)
    validation = spoken_clips(list(draw_clips(VALIDATION, VALIDATION_CLIPS)), cache)
    model, processor = train_model([*spoken, *silent], validation, settings, size, checkpoints)
    save_model(model, processor, out)
    facts = training_facts(settings, size, model, time.monotonic() - started)
    write_card(out / "README.md", **facts)


if __name__ == "__main__":
    main()
