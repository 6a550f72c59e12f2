"""Adapters: how audio-language models are asked. See `backend.Backend` to add one."""
