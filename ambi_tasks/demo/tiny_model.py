"""A tiny Qwen2-Audio: unchanged classes of transformers, a tokenizer of its own, random weights."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2AudioConfig,
    Qwen2AudioEncoderConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    Qwen2Config,
    WhisperFeatureExtractor,
)

from ambi_tasks.audio import SAMPLING_RATE
from ambi_tasks.demo.dialogues import (
    GRID_STEPS,
    LABEL_INVENTORY,
    Example,
    Heard,
    json_answer,
)
from ambi_tasks.demo.judging import HIGH
from ambi_tasks.demo.prompt_forms import PROMPT_FORMS
from ambi_tasks.demo.reasoning import CUES
from ambi_tasks.demo.speech import EMOTIONS

_SPECIAL_TOKENS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    *("<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"),
)
_OTHER_TEXT = (
    "system\nYou are a helpful assistant.",
    "user\nAudio 1: ",
    "assistant\n",
    "There is no voice. They would mostly agree. They would disagree.",
)


@dataclass(frozen=True, slots=True)
class ModelSize:
    """The shape of the model.

    Attributes:
        width: Hidden size of the audio encoder and of the language model.
        encoder_layers: Layers of the audio encoder.
        decoder_layers: Layers of the language model.
        heads: Attention heads of both.
        mel_bins: Mel bins of the features.
        fft_samples: Window of the spectrogram; long enough to resolve the harmonics of a voice.
        seconds: Longest clip; the rest is cut off by the processor.
    """

    width: int = 128
    encoder_layers: int = 3
    decoder_layers: int = 4
    heads: int = 4
    mel_bins: int = 128
    fft_samples: int = 800
    seconds: int = 6


def _labels_pattern() -> str:
    """A regular expression that keeps a label in one piece, the same with and without a space."""
    labels = "|".join(sorted(LABEL_INVENTORY, key=len, reverse=True))
    return rf"(?<!\p{{L}})(?:{labels})(?!\p{{L}})"


def _tokenizer_text() -> Iterator[str]:
    """The text that the vocabulary is made from."""
    generator = np.random.default_rng(0)
    for form in PROMPT_FORMS:
        for _ in range(50):
            heard = [
                Heard(generator.normal(0, 0.7, 4), generator.dirichlet(np.ones(4))) for _ in "ab"
            ]
            example = Example(EMOTIONS, heard[0], heard[1], GRID_STEPS)
            for dialogue in form.write(example, generator):
                yield from dialogue
    for step in range(GRID_STEPS + 1):
        shares = np.full(len(LABEL_INVENTORY), step / GRID_STEPS)
        yield from [json_answer(LABEL_INVENTORY, shares)] * 20
    cues = [f"the {name} is {word}, " for name, words in CUES.items() for word in words]
    for text in (*_OTHER_TEXT, *cues, *map(str, range(HIGH + 1)), ", ".join(LABEL_INVENTORY)):
        yield from [text] * 20


def build_tokenizer() -> Any:
    """A byte-level tokenizer: any text can be written, labels and numbers are one token each."""
    pieces = (
        rf"{_labels_pattern()}|\{{\"|\": |, \"|\}}|: |, (?=\p{{L}})|\d+(?:\.\d+)?"
        rf"| (?={_labels_pattern()})| ?\p{{L}}+|\s+|[^\s\p{{L}}\d]"
    )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pieces), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1500,
        min_frequency=2,
        special_tokens=list(_SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_tokenizer_text(), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",  # noqa: S106 - not that kind of token
        pad_token="<|endoftext|>",  # noqa: S106
        padding_side="left",
        model_max_length=2048,
        extra_special_tokens={
            "audio_token": "<|AUDIO|>",
            "audio_bos_token": "<|audio_bos|>",
            "audio_eos_token": "<|audio_eos|>",
        },
    )


def build_processor(size: ModelSize) -> Any:
    """The processor, with the chat template that its class brings along."""
    features = WhisperFeatureExtractor(
        feature_size=size.mel_bins,
        sampling_rate=SAMPLING_RATE,
        chunk_length=size.seconds,
        hop_length=SAMPLING_RATE // 100,
        n_fft=size.fft_samples,
        return_attention_mask=True,
    )
    return Qwen2AudioProcessor(features, build_tokenizer())


def build_model(size: ModelSize, tokenizer: Any) -> Any:
    """The model with random weights, in float32; seed torch before."""
    config = Qwen2AudioConfig(
        audio_config=_encoder_config(size),
        text_config=_decoder_config(size, tokenizer),
        audio_token_index=tokenizer.convert_tokens_to_ids("<|AUDIO|>"),
    )
    model = Qwen2AudioForConditionalGeneration(config)
    encoder = model.model.audio_tower
    # The initializer of the transformer layers is too narrow for the first convolutions.
    encoder.conv1.reset_parameters()
    encoder.conv2.reset_parameters()
    encoder.embed_positions.weight.data.copy_(_sinusoids(size.seconds * 50, size.width))
    model.generation_config.bos_token_id = None
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


def _encoder_config(size: ModelSize) -> Any:
    return Qwen2AudioEncoderConfig(
        num_mel_bins=size.mel_bins,
        encoder_layers=size.encoder_layers,
        encoder_attention_heads=size.heads,
        encoder_ffn_dim=4 * size.width,
        d_model=size.width,
        max_source_positions=50 * size.seconds,
        initializer_range=0.04,
    )


def _decoder_config(size: ModelSize, tokenizer: Any) -> Any:
    return Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=size.width,
        intermediate_size=3 * size.width,
        num_hidden_layers=size.decoder_layers,
        num_attention_heads=size.heads,
        num_key_value_heads=max(1, size.heads // 2),
        max_position_embeddings=2048,
        tie_word_embeddings=False,
        initializer_range=0.04,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _sinusoids(positions: int, width: int) -> torch.Tensor:
    """Position embeddings, small beside the features, (positions, width)."""
    exponents = torch.arange(width // 2) / (width // 2 - 1)
    angles = torch.arange(positions)[:, None] * torch.exp(-math.log(10_000) * exponents)[None]
    return 0.1 * torch.cat([angles.sin(), angles.cos()], dim=1)


def render_chat(processor: Any, prompt: str) -> str:
    """The text of one user turn, the clip before the prompt, up to where the answer begins."""
    content = [{"type": "audio", "audio": "clip"}, {"type": "text", "text": prompt}]
    text: str = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    return text


def save_model(model: Any, processor: Any, folder: Path) -> None:
    """Save in half precision, as one folder that the Auto classes load."""
    folder.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(folder)
    processor.save_pretrained(folder)
    # The library of the weights lets nobody but the owner read them.
    (folder / "model.safetensors").chmod(0o644)
