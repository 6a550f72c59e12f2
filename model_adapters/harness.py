"""The names that the harness resolves: `model_adapters.harness:<adapter>` is its model class."""

from functools import cache

from model_adapters.audio_lm import AudioLM
from model_adapters.registry import adapter_names, get_adapter


@cache
def model_class(adapter: str) -> type[AudioLM]:
    """Make the harness's model class of a registered adapter.

    Raises:
        UserError: There is no such adapter.
    """
    return type(adapter, (AudioLM,), {"adapter": adapter, "backend_class": get_adapter(adapter)})


def __getattr__(name: str) -> type[AudioLM]:
    if name not in adapter_names():
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return model_class(name)
