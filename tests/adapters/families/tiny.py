"""Tiny random models of each family, built offline from config and processor classes.

They are as small as their classes allow. Their weights are enlarged, so that different clips and
prompts lead to different answers.
"""

import json
import math
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from model_adapters.huggingface.families.audio_only import audio_only

RATE = 16_000
WINDOW = 2
"""Seconds of a window of the feature extractors; the longest of the clips fills more than one."""

_TEXT = [
    "You are a helpful assistant.",
    "How do they feel? happy sad angry neutral",
    "Is this answer right? yes no",
] * 10


def chat_template(audio: str) -> str:
    """ChatML, with what stands for a clip."""
    parts = (
        "{% for part in message['content'] %}{% if part['type'] == 'audio' %}"
        f"{audio}{{% else %}}{{{{ part['text'] }}}}{{% endif %}}{{% endfor %}}"
    )
    return (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
        "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
        f"{parts}{{% endif %}}<|im_end|>\n{{% endfor %}}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )


def build_tokenizer(audio: str, names: dict[str, str] | None = None) -> Any:
    """A byte-level tokenizer with special tokens, by their names as attributes."""
    names = names or {"audio_token": audio}
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>", *names.values()],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_TEXT, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=names,
        chat_template=chat_template(audio),
    )


def whisper_features(mel_bins: int = 16, seconds: int = WINDOW) -> Any:
    return transformers.WhisperFeatureExtractor(
        feature_size=mel_bins, chunk_length=seconds, return_attention_mask=True
    )


def save(model: Any, processor: Any, folder: Path, scale: float = 3.0) -> None:
    """Save both, with sampling defaults that must not reach our draws."""
    model, processor = finished(model, processor, scale)
    model.generation_config.do_sample = True
    model.generation_config.top_k = 2
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def finished(model: Any, processor: Any, scale: float = 3.0) -> tuple[Any, Any]:
    """Enlarge the weights, and say how an answer ends."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale)
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    return model.eval(), processor


def decoder(vocabulary: int, tokenizer: Any, **settings: Any) -> dict[str, Any]:
    """The shape of a language model."""
    return {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        **settings,
    }


def whisper_like(windows: int, **settings: Any) -> dict[str, Any]:
    """The shape of an encoder of Whisper's kind, with the names that most families use."""
    return {
        "num_mel_bins": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "hidden_size": 16,
        "max_source_positions": windows,
        **settings,
    }


def qwen2_audio(folder: Path) -> None:
    names = ("audio_token", "audio_bos_token", "audio_eos_token")
    tokens = dict(zip(names, ("<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"), strict=True))
    tokenizer = build_tokenizer("<|audio_bos|><|AUDIO|><|audio_eos|>", tokens)
    processor = transformers.Qwen2AudioProcessor(
        whisper_features(seconds=4), tokenizer, chat_template=tokenizer.chat_template
    )
    config = transformers.Qwen2AudioConfig(
        audio_config={
            "num_mel_bins": 16,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 32,
            "d_model": 16,
            "max_source_positions": 200,
        },
        text_config={"model_type": "qwen2", **decoder(len(tokenizer), tokenizer)},
        audio_token_index=tokenizer.audio_token_id,
    )
    save(transformers.Qwen2AudioForConditionalGeneration(config), processor, folder)


OMNI_TOKENS = {
    "image_token": "<|IMAGE|>",
    "audio_token": "<|AUDIO|>",
    "video_token": "<|VIDEO|>",
    "vision_bos_token": "<|vision_bos|>",
    "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>",
    "audio_eos_token": "<|audio_eos|>",
}
OMNI_ENCODER = {
    "num_mel_bins": 16,
    "encoder_layers": 1,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "d_model": 16,
    "max_source_positions": 1500,
    "output_dim": 32,
}
OMNI_ROPE = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]}


def omni_processor(processor_class: str, tokenizer: Any) -> Any:
    features = whisper_features(seconds=4)
    return audio_only(processor_class)(features, tokenizer, chat_template=tokenizer.chat_template)


def omni_tokenizer() -> Any:
    return build_tokenizer("<|audio_bos|><|AUDIO|><|audio_eos|>", OMNI_TOKENS)


def omni_ids(tokenizer: Any, ending: str) -> dict[str, int]:
    return {
        f"audio{ending}": tokenizer.audio_token_id,
        f"image{ending}": tokenizer.image_token_id,
        f"video{ending}": tokenizer.video_token_id,
        "audio_start_token_id": tokenizer.audio_bos_token_id,
        "audio_end_token_id": tokenizer.audio_eos_token_id,
        "vision_start_token_id": tokenizer.vision_bos_token_id,
        "vision_end_token_id": tokenizer.vision_eos_token_id,
        "user_token_id": tokenizer.convert_tokens_to_ids("<|im_start|>"),
    }


def qwen2_5_omni_config(tokenizer: Any) -> Any:
    return transformers.Qwen2_5OmniThinkerConfig(
        audio_config={**OMNI_ENCODER, "n_window": 100},
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [0],
        },
        text_config=decoder(len(tokenizer), tokenizer, rope_parameters=OMNI_ROPE),
        pad_token_id=tokenizer.pad_token_id,
        **omni_ids(tokenizer, "_token_index"),
    )


def qwen2_5_omni_thinker(folder: Path) -> None:
    tokenizer = omni_tokenizer()
    model = transformers.Qwen2_5OmniThinkerForConditionalGeneration(qwen2_5_omni_config(tokenizer))
    save(model, omni_processor("Qwen2_5OmniProcessor", tokenizer), folder)


def qwen2_5_omni(folder: Path) -> None:
    """A whole checkpoint: thinker, talker and the decoder of speech."""
    tokenizer = omni_tokenizer()
    config = transformers.Qwen2_5OmniConfig(
        thinker_config=qwen2_5_omni_config(tokenizer).to_dict(),
        talker_config=decoder(
            64, tokenizer, embedding_size=32, head_dim=8, rope_parameters=OMNI_ROPE
        ),
        token2wav_config={
            "dit_config": {
                "hidden_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "head_dim": 8,
                "emb_dim": 8,
                "num_embeds": 8,
                "mel_dim": 8,
                "enc_emb_dim": 8,
                "enc_dim": 8,
                "enc_channels": (8, 8, 8, 8, 8),
                "enc_attention_channels": 4,
                "enc_se_channels": 4,
            },
            "bigvgan_config": {"mel_dim": 8, "upsample_initial_channel": 64},
        },
    )
    model = transformers.Qwen2_5OmniForConditionalGeneration(config)
    save(model, omni_processor("Qwen2_5OmniProcessor", tokenizer), folder)


def qwen3_omni_config(tokenizer: Any) -> Any:
    return transformers.Qwen3OmniMoeThinkerConfig(
        audio_config={**OMNI_ENCODER, "downsample_hidden_size": 16, "n_window": 50},
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 32,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [],
        },
        text_config=decoder(
            len(tokenizer),
            tokenizer,
            head_dim=8,
            rope_parameters=OMNI_ROPE,
            num_experts=4,
            num_experts_per_tok=2,
            moe_intermediate_size=16,
        ),
        pad_token_id=tokenizer.pad_token_id,
        **omni_ids(tokenizer, "_token_id"),
    )


def qwen3_omni_moe_thinker(folder: Path) -> None:
    tokenizer = omni_tokenizer()
    config = qwen3_omni_config(tokenizer)
    model = transformers.Qwen3OmniMoeThinkerForConditionalGeneration(config)
    save(model, omni_processor("Qwen3OmniMoeProcessor", tokenizer), folder)


def qwen3_omni_moe(folder: Path) -> None:
    """A whole checkpoint, but without a talker."""
    tokenizer = omni_tokenizer()
    config = transformers.Qwen3OmniMoeConfig(
        thinker_config=qwen3_omni_config(tokenizer).to_dict(), enable_audio_output=False
    )
    model = transformers.Qwen3OmniMoeForConditionalGeneration(config)
    save(model, omni_processor("Qwen3OmniMoeProcessor", tokenizer), folder)


def audioflamingo3(folder: Path) -> None:
    tokenizer = build_tokenizer("<sound>")
    processor = transformers.AudioFlamingo3Processor(
        whisper_features(), tokenizer, chat_template=tokenizer.chat_template
    )
    config = transformers.AudioFlamingo3Config(
        audio_config=whisper_like(50 * WINDOW),
        text_config={"model_type": "qwen2", **decoder(len(tokenizer), tokenizer)},
        audio_token_id=tokenizer.audio_token_id,
    )
    save(transformers.AudioFlamingo3ForConditionalGeneration(config), processor, folder)


def musicflamingo(folder: Path) -> None:
    tokenizer = build_tokenizer(
        "<sound>",
        {
            "audio_token": "<sound>",
            "audio_bos_token": "<|sound_bos|>",
            "audio_eos_token": "<|sound_eos|>",
        },
    )
    processor = transformers.MusicFlamingoProcessor(
        whisper_features(), tokenizer, chat_template=tokenizer.chat_template
    )
    config = transformers.MusicFlamingoConfig(
        audio_config={"model_type": "audioflamingo3_encoder", **whisper_like(50 * WINDOW)},
        text_config={"model_type": "qwen2", **decoder(len(tokenizer), tokenizer)},
        audio_token_id=tokenizer.audio_token_id,
        audio_bos_token_id=tokenizer.audio_bos_token_id,
        audio_eos_token_id=tokenizer.audio_eos_token_id,
    )
    save(transformers.MusicFlamingoForConditionalGeneration(config), processor, folder)


def voxtral(folder: Path) -> None:
    tekken = folder / "tekken.json"
    vocabulary = write_tekken(tekken)
    tokenizer = transformers.MistralCommonBackend(tokenizer_path=str(tekken))
    features = transformers.WhisperFeatureExtractor(feature_size=128, chunk_length=30)
    processor = transformers.VoxtralProcessor(features, tokenizer)
    config = transformers.VoxtralConfig(
        audio_config=whisper_like(1500, num_mel_bins=128, intermediate_size=64, vocab_size=8),
        text_config=decoder(vocabulary, tokenizer, model_type="llama", head_dim=8, bos_token_id=1),
        audio_token_id=24,
    )
    save(transformers.VoxtralForConditionalGeneration(config), processor, folder, scale=5.0)


_CONTROLS = [
    "<unk>",
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "[TOOL_CALLS]",
    "[IMG]",
    "<pad>",
    "[IMG_BREAK]",
    "[IMG_END]",
    "[PREFIX]",
    "[MIDDLE]",
    "[SUFFIX]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[TOOL_CONTENT]",
    "<20>",
    "<21>",
    "<22>",
    "<23>",
    "[AUDIO]",
    "[BEGIN_AUDIO]",
    "<26>",
    "<27>",
    "<28>",
    "<29>",
    "<30>",
    "<31>",
    "<32>",
    "<33>",
    "[TRANSCRIBE]",
]


def write_tekken(path: Path) -> int:
    """A vocabulary of mistral-common, cut from the one that it brings; returns its size."""
    whole = resources.files("mistral_common") / "data" / "tekken_240911.json"
    tekken = json.loads(whole.read_text())
    size, controls = 256 + 200, len(_CONTROLS)
    tekken["vocab"] = tekken["vocab"][:size]
    tekken["special_tokens"] = [
        {"rank": rank, "token_str": token, "is_control": True}
        for rank, token in enumerate(_CONTROLS)
    ]
    tekken["config"] |= {
        "default_vocab_size": size + controls,
        "default_num_special_tokens": controls,
        "num_vocab_tokens": size,
        "version": "v7",
    }
    tekken["audio"] = {
        "sampling_rate": RATE,
        "frame_rate": 12.5,
        "audio_encoding_config": {"num_mel_bins": 128, "hop_length": 160, "window_size": 400},
        "chunk_length_s": 30.0,
    }
    path.write_text(json.dumps(tekken))
    return size + controls


def phi4_multimodal(folder: Path) -> None:
    tokens = {"audio_token": "<|audio|>", "image_token": "<|image|>"}
    tokenizer = build_tokenizer("<|audio|>", tokens)
    processor = audio_only("Phi4MultimodalProcessor")(
        transformers.Phi4MultimodalFeatureExtractor(),
        tokenizer,
        chat_template=tokenizer.chat_template,
    )
    config = transformers.Phi4MultimodalConfig(
        audio_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_blocks": 1,
            "num_attention_heads": 2,
            "ext_pw_out_channel": 16,
            "depthwise_separable_out_channel": 16,
            "nemo_conv_channels": 8,
            "feature_layer": -1,
            "audio_token_id": tokenizer.audio_token_id,
        },
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 28,
            "crop_size": 28,
            "image_token_id": tokenizer.image_token_id,
        },
        **decoder(len(tokenizer), tokenizer, bos_token_id=None),
    )
    save(transformers.Phi4MultimodalForCausalLM(config), processor, folder)


GEMMA_TOKENS = {
    "audio_token": "<audio_soft_token>",
    "boa_token": "<start_of_audio>",
    "eoa_token": "<end_of_audio>",
    "image_token": "<image_soft_token>",
    "boi_token": "<start_of_image>",
    "eoi_token": "<end_of_image>",
}


def gemma3n() -> tuple[Any, Any]:
    """Not to be saved: it lacks its vision tower, which needs timm and torchvision."""
    tokenizer = build_tokenizer("<audio_soft_token>", GEMMA_TOKENS)
    processor = transformers.Gemma3nProcessor(
        transformers.Gemma3nAudioFeatureExtractor(),
        transformers.SiglipImageProcessorPil(),
        tokenizer,
        chat_template=tokenizer.chat_template,
    )
    size = len(tokenizer)
    ids = {f"{name}_id": getattr(tokenizer, f"{name}_id") for name in GEMMA_TOKENS}
    config = transformers.Gemma3nConfig(
        audio_config={
            "vocab_size": 8,
            "vocab_offset": size + 8,
            "hidden_size": 16,
            "conf_num_attention_heads": 2,
            "conf_num_hidden_layers": 1,
            "sscp_conv_channel_size": (8, 4),
        },
        vision_config={"hidden_size": 16, "vocab_size": 8, "vocab_offset": size},
        text_config=decoder(
            size + 16,
            tokenizer,
            num_hidden_layers=6,
            head_dim=8,
            vocab_size_per_layer_input=size,
            hidden_size_per_layer_input=4,
            num_kv_shared_layers=2,
            laurel_rank=4,
            sliding_window=64,
            layer_types=["sliding_attention", "full_attention"] * 3,
            bos_token_id=None,
        ),
        **ids,
    )
    build = transformers.AutoModel.from_config

    def without_vision(part: Any) -> Any:
        return torch.nn.Identity() if part is config.vision_config else build(part)

    with mock.patch.object(transformers.AutoModel, "from_config", without_vision):
        model = transformers.Gemma3nForConditionalGeneration(config)
    return finished(model, processor)


class StandInFeatures(transformers.SequenceFeatureExtractor):  # type: ignore[misc]
    """In place of Granite's feature extractor, which needs torchaudio: the same shapes."""

    projector_window_size = 15
    projector_downsample_rate = 5

    def __call__(self, audio: Sequence[Any], device: str = "cpu") -> Any:
        del device
        longer = [np.pad(one, (0, 160)) for one in audio]  # Granite has a frame at each end
        mel = whisper_features(80, seconds=30)(longer, sampling_rate=RATE, padding="longest")
        sizes = [3 * math.ceil((len(one) // 160 + 1) // 2 / 15) for one in audio]
        frames = torch.tensor(np.stack(mel["input_features"])).transpose(1, 2)
        frames = frames[:, : frames.shape[1] // 2 * 2].reshape(len(audio), -1, 160)
        return transformers.BatchFeature(
            {
                "input_features": frames,
                "audio_embed_sizes": sizes,
                "input_features_mask": torch.arange(max(sizes))[None]
                < torch.tensor(sizes)[:, None],
            }
        )


def granite_speech(plus: bool = False, lora: bool = False) -> tuple[Any, Any]:
    """Not to be loaded by its own class of processor: see `StandInFeatures`."""
    tokenizer = build_tokenizer("<|audio|>")
    processor = transformers.GraniteSpeechProcessor(
        StandInFeatures(160, RATE, 0.0), tokenizer, chat_template=tokenizer.chat_template
    )
    encoder = {"num_layers": 2, "hidden_dim": 16, "num_heads": 2, "output_dim": 8}
    name = "GraniteSpeechPlus" if plus else "GraniteSpeech"
    config = getattr(transformers, f"{name}Config")(
        encoder_config=encoder | ({"cat_hidden_layers": [0]} if plus else {}),
        projector_config={
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 16,
            "encoder_hidden_size": 32 if plus else 16,
        },
        text_config=decoder(len(tokenizer), tokenizer, model_type="granite"),
        audio_token_index=tokenizer.audio_token_id,
        has_lora_adapter=lora,
    )
    model = getattr(transformers, f"{name}ForConditionalGeneration")(config)
    return finished(model, processor)


def granite_speech_plus() -> tuple[Any, Any]:
    return granite_speech(plus=True)


def glmasr(folder: Path) -> None:
    tokenizer = build_tokenizer("<|pad|>")
    processor = transformers.GlmAsrProcessor(
        whisper_features(), tokenizer, chat_template=tokenizer.chat_template
    )
    config = transformers.GlmAsrConfig(
        audio_config=whisper_like(50 * WINDOW),
        text_config=decoder(len(tokenizer), tokenizer, model_type="llama"),
        audio_token_id=tokenizer.audio_token_id,
    )
    save(transformers.GlmAsrForConditionalGeneration(config), processor, folder)


def qwen3_asr(folder: Path) -> None:
    tokenizer = build_tokenizer(
        "<|audio_start|><|audio_pad|><|audio_end|>",
        {
            "audio_token": "<|audio_pad|>",
            "audio_bos_token": "<|audio_start|>",
            "audio_eos_token": "<|audio_end|>",
            "timestamp_token": "<timestamp>",
        },
    )
    processor = transformers.Qwen3ASRProcessor(
        transformers.Qwen3ASRFeatureExtractor(feature_size=16),
        tokenizer,
        chat_template=tokenizer.chat_template,
    )
    config = transformers.Qwen3ASRConfig(
        audio_config={**OMNI_ENCODER, "downsample_hidden_size": 16},
        text_config=decoder(len(tokenizer), tokenizer, model_type="qwen3", head_dim=8),
        audio_token_id=tokenizer.audio_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    save(transformers.Qwen3ASRForConditionalGeneration(config), processor, folder)
