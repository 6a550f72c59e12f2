"""Model families: one module each, with the least in which it differs from the others."""

from model_adapters.huggingface.families.family import (
    Family,
    family_of,
    import_families,
    register_family,
)

__all__ = ["Family", "family_of", "import_families", "register_family"]
