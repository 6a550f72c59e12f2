"""Train the demo model: `python -m ambi_tasks.demo.train`.

Three stages, each of a fixed number of steps. First the audio encoder alone learns to hear the
prosody, from every frame: without this the model learns to write plausible answers long before it
listens. Then the whole model learns to answer, while the encoder goes on. At last the language
model alone learns to answer however the prompt is worded.
"""

import argparse
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from ambi_tasks.demo import MODEL_FOLDER
from ambi_tasks.demo.model_card import write_card
from ambi_tasks.demo.prompt_forms import (
    GRID_STEPS,
    LABEL_INVENTORY,
    PROMPT_FORMS,
    REWORDED_FORMS,
    PromptForm,
)
from ambi_tasks.demo.speech import draw_clips, espeak_version
from ambi_tasks.demo.splits import TRAINING, VALIDATION
from ambi_tasks.demo.tiny_model import ModelSize, build_model, build_processor, save_model
from ambi_tasks.demo.training_data import (
    IGNORED,
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
        rewording_steps: Steps of the third stage.
        clips: Spoken clips.
        batch_size: Examples per step.
        learning_rate: Peak of the learning rate.
        hearing_weight: Weight of the prosody's error in the second stage.
        bootstrap_raters: Annotators drawn anew for each target.
        validation_every: Steps between two measurements on the validation clips.
        seed: Seed of weights, clips and batches.
    """

    hearing_steps: int = 900
    steps: int = 2700
    rewording_steps: int = 600
    clips: int = 12_000
    batch_size: int = 32
    learning_rate: float = 1e-3
    hearing_weight: float = 0.5
    bootstrap_raters: int = 30
    validation_every: int = 300
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
        hidden = model.language_model(inputs_embeds=embeddings, use_cache=False).last_hidden_state
        targets = batch.targets[:, 1:]
        answered = targets != IGNORED
        logits = self.model.lm_head(hidden[:, :-1][answered]).float()
        return nn.functional.cross_entropy(logits, targets[answered])


def train_model(
    clips: Sequence[TrainingClip],
    validation: Sequence[TrainingClip],
    settings: Settings,
    size: ModelSize,
) -> tuple[Any, Any]:
    """Train a model from random weights.

    Args:
        clips: What it is trained on.
        validation: What is measured now and then; nothing follows from it here.
        settings: The settings.
        size: Shape of the model.

    Returns:
        The model, in float32, and its processor.
    """
    torch.manual_seed(settings.seed)
    processor = build_processor(size)
    learner = Learner(build_model(size, processor.tokenizer))
    training_set = TrainingSet(clips, processor, settings.bootstrap_raters)
    validation_set = TrainingSet(validation, processor, settings.bootstrap_raters)
    generator = np.random.default_rng([settings.seed, len(clips)])
    batches = training_set.batches(settings.batch_size, generator)
    for stage in _stages(learner, settings):
        training_set.forms = stage.forms
        _run_stage(stage, learner, batches, settings, validation_set)
    learner.model.set_attn_implementation("sdpa")
    return learner.model.eval(), processor


@dataclass(frozen=True, slots=True)
class _Stage:
    """What one stage trains: which parameters, by which losses, on which prompts.

    Attributes:
        name: Its name.
        steps: Its steps.
        parameters: What is trained.
        answering: Weight of the error of the answers.
        hearing: Weight of the error of the prosody.
        forms: What is asked.
    """

    name: str
    steps: int
    parameters: list[nn.Parameter]
    answering: float
    hearing: float
    forms: Sequence[PromptForm]


def _stages(learner: Learner, settings: Settings) -> list[_Stage]:
    ears = list(learner.model.model.audio_tower.parameters())
    head = list(learner.head.parameters())
    heard = {id(parameter) for parameter in [*ears, *head]}
    rest = [parameter for parameter in learner.parameters() if id(parameter) not in heard]
    weight = settings.hearing_weight
    return [
        _Stage("hearing", settings.hearing_steps, ears + head, 0.0, 1.0, PROMPT_FORMS),
        _Stage("answering", settings.steps, ears + head + rest, 1.0, weight, PROMPT_FORMS),
        _Stage("rewording", settings.rewording_steps, rest, 1.0, 0.0, REWORDED_FORMS),
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
            group["lr"] = settings.learning_rate * _learning_rate_factor(step, stage.steps)
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
        if stage.answering:
            loss = loss + stage.answering * learner.answer_loss(frames, inside, batch)
    return loss


def validation_losses(learner: Learner, clips: TrainingSet) -> dict[str, float]:
    """Measure both losses on at most 256 clips, with the same prompts and targets each time."""
    generator = np.random.default_rng(0)
    batch = clips.batch(np.arange(min(256, len(clips.clips))), generator, augment=False)
    learner.eval()
    with torch.no_grad():
        frames, inside = learner.hear(batch)
        losses = {
            "validation hearing": learner.hearing_loss(frames, inside, batch.prosody).item(),
            "answering": learner.answer_loss(frames, inside, batch).item(),
        }
    learner.train()
    return losses


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
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of torch")
    defaults = Settings()
    for name, value in asdict(defaults).items():
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=type(value), default=value, help=f"default: {value}")
    options = vars(parser.parse_args(arguments))
    out, cache, threads = options.pop("out"), options.pop("cache"), options.pop("threads")
    torch.set_num_threads(threads)
    try:
        _train_and_save(Settings(**options), out, cache)
    except UserError as error:
        raise SystemExit(str(error)) from error
    print(f"The model is in {out}.")


def _train_and_save(settings: Settings, out: Path, cache: Path) -> None:
    started = time.monotonic()
    size = ModelSize()
    generator = np.random.default_rng([settings.seed, 99])
    spoken = spoken_clips(list(draw_clips(TRAINING, settings.clips, settings.seed)), cache)
    others = round(NON_SPEECH_SHARE * settings.clips)
    silent = non_speech_clips(others, generator, size.seconds)
    validation = spoken_clips(list(draw_clips(VALIDATION, VALIDATION_CLIPS)), cache)
    model, processor = train_model([*spoken, *silent], validation, settings, size)
    save_model(model, processor, out)
    facts = training_facts(settings, size, model, time.monotonic() - started)
    write_card(out / "README.md", **facts)


if __name__ == "__main__":
    main()
