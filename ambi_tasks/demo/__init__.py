"""The bundled demo: simulated speech, simulated annotators and a tiny model that hears them.

The folders `corpus` and `model` are data; the modules beside them are the scripts that made both.
They are for trying the software. Nothing measured on them says anything about people or models.
"""

from pathlib import Path

CORPUS_FOLDER = Path(__file__).parent / "corpus"
"""The bundled corpus, see `build_corpus`."""

MODEL_FOLDER = Path(__file__).parent / "model"
"""The bundled model, see `train`."""
