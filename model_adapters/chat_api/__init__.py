"""`alm_api`: audio-language models behind an endpoint that speaks OpenAI's Chat Completions."""

from model_adapters.chat_api.backend import ChatApiBackend

__all__ = ["ChatApiBackend"]
