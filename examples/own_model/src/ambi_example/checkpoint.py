"""Writes a checkpoint of the example's model class, with the weights of the demo model.

`python -m ambi_example.checkpoint FOLDER`
"""

import sys

from transformers import AutoProcessor, Qwen2AudioForConditionalGeneration

from ambi_example.adapter import DEMO
from ambi_example.family import ExampleConfig, ExampleForConditionalGeneration


def write(folder: str) -> None:
    """Write config, weights and processor into a folder."""
    demo = Qwen2AudioForConditionalGeneration.from_pretrained(DEMO)
    model = ExampleForConditionalGeneration(ExampleConfig.from_pretrained(DEMO))
    model.load_state_dict(demo.state_dict())
    model.generation_config = demo.generation_config
    model.save_pretrained(folder)
    AutoProcessor.from_pretrained(DEMO).save_pretrained(folder)


if __name__ == "__main__":
    write(sys.argv[1])
