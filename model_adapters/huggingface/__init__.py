"""`alm_hf`: audio-language models on transformers."""

from model_adapters.huggingface.backend import HuggingFaceBackend

__all__ = ["HuggingFaceBackend"]
