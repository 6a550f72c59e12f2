"""What tells one checkpoint folder from another."""

import hashlib
import json
from pathlib import Path

_BLOCKS, _BLOCK_BYTES = 64, 65_536


def checkpoint_files(folder: Path) -> list[Path]:
    """The files of a checkpoint, those of LoRAs in its subfolders as well; hidden ones are none."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def checkpoint_sha256(folder: Path) -> str:
    """Tell local checkpoints apart by what their files hold.

    Of each file the size and up to 64 blocks, evenly spaced, are hashed: a fine-tuning changes all
    of them, and a checkpoint of many gigabytes takes a second.
    """
    digest = hashlib.sha256()
    for path in checkpoint_files(folder):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}:{size};".encode())
        with path.open("rb") as file:
            for block in range(_BLOCKS):
                file.seek(block * size // _BLOCKS)
                digest.update(file.read(_BLOCK_BYTES))
    return digest.hexdigest()


def lora_base(folder: Path) -> str | None:
    """The checkpoint on which a folder's LoRA rests, which transformers loads from elsewhere.

    Returns:
        A folder or a hub name; None where the folder itself is the whole checkpoint.
    """
    settings = folder / "adapter_config.json"
    if not settings.is_file():
        return None
    try:
        found = json.loads(settings.read_text(encoding="utf-8"))
    except ValueError:  # transformers will say so when it loads
        return None
    base = found.get("base_model_name_or_path") if isinstance(found, dict) else None
    return str(base) if base and Path(base).resolve() != folder.resolve() else None
