"""The wheel in an environment of its own: an unmodified `lm_eval` finds tasks and models."""

import os
import subprocess
import sys
import sysconfig
import textwrap
import venv
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
MODELS = """
import lm_eval.models
from lm_eval.api.registry import model_registry
print(list(model_registry))
"""


class Environment:
    """A fresh environment that sees this one's packages, but neither its hooks nor our checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder, with_pip=False)
        self.python = folder / "bin" / "python"
        self.site = Path(self.run("import sysconfig; print(sysconfig.get_path('purelib'))").strip())
        # A path in a .pth file is searched for packages; .pth files that lie there do not run.
        others = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        (self.site / "others.pth").write_text("\n".join(sorted(others)) + "\n")

    def pip(self, *arguments: str) -> None:
        """Run the outer environment's pip on this one, without any network."""
        command = [sys.executable, "-m", "pip", "--python", str(self.python), *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=300)

    def run(self, code: str, **variables: str) -> str:
        """Run code and return what it prints."""
        return self.call([str(self.python), "-c", code], **variables).stdout

    def lm_eval(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run the harness's command line."""
        return self.call([str(self.python), "-m", "lm_eval", *arguments], **variables)

    def call(self, command: list[str], **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run a command from a folder that has nothing to do with the project."""
        clean = {k: v for k, v in os.environ.items() if not k.endswith("_ROOT")}
        for name in ("PYTHONPATH", "AMBI_TASKS_PLUGIN", "AMBI_TRACEBACK"):
            clean.pop(name, None)
        return subprocess.run(
            command,
            env={
                **clean,
                "HF_HUB_OFFLINE": "1",
                "AMBI_CACHE": str(self.folder.parent / "cache"),
                **variables,
            },
            cwd=self.folder.parent,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*command, str(REPOSITORY)], check=True, capture_output=True, timeout=300)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    environment = Environment(tmp_path_factory.mktemp("installed") / "env")
    environment.pip("install", "--no-deps", "--no-index", str(wheel))
    return environment


def test_the_wheel_is_small_and_takes_only_our_names(wheel: Path, installed: Environment) -> None:
    assert wheel.stat().st_size < 16_000_000
    names = {path.name for path in installed.site.iterdir()} - {"others.pth", "__pycache__"}
    assert {name for name in names if not name.endswith(".dist-info")} == {
        "ambi_tasks",
        "model_adapters",
        "ambi_tasks_plugin.pth",
    }
    where = installed.run("import ambi_tasks.prompts as p; print(p.template_folder())").strip()
    assert where == str(installed.site / "ambi_tasks" / "templates")


def test_the_hook_imports_nothing_until_the_harness_is_imported(installed: Environment) -> None:
    loaded = "import sys; print([m for m in sys.modules if m.split('.')[0] in {names}])"
    names = "{'ambi_tasks', 'model_adapters', 'lm_eval', 'numpy', 'torch'}"
    assert installed.run(loaded.format(names=names)).strip() == "[]"
    hooked = "import sys; print([f.__name__ for f in sys.meta_path if 'Ambi' in repr(f)])"
    assert installed.run(hooked).strip() == "['AmbiTasksHook']"
    assert installed.run(hooked, AMBI_TASKS_PLUGIN="0").strip() == "[]"


def test_tasks_and_models_are_listed_with_no_flag(installed: Environment) -> None:
    listing = installed.lm_eval("ls", "tasks").stdout
    for name in ("ambi_demo_sc", "ambi_crema_d_direct", "ambi_iemocap_sc", "ambi_direct"):
        assert f"|{name} " in listing
    models = installed.run(MODELS)
    assert "'alm_hf'" in models
    assert "'alm_api'" in models
    assert "'alm_cascade'" in models


def test_a_missing_corpus_is_reported_before_any_weight_is_read(installed: Environment) -> None:
    run = installed.lm_eval("--tasks", "ambi_iemocap_sc", "--model", "alm_hf")
    assert run.returncode == 1
    *_, model, corpus = [line for line in run.stderr.splitlines() if "INFO" not in line]
    assert "Qwen/Qwen2-Audio-7B-Instruct would be loaded at the first request" in model
    assert "pretrained=demo" in model
    assert corpus.startswith("error: IEMOCAP was not found: set IEMOCAP_ROOT")
    assert "sail.usc.edu" in corpus
    assert "Traceback" not in run.stderr


def test_an_endpoint_without_a_key_is_one_sentence(installed: Environment) -> None:
    run = installed.lm_eval(
        *("--tasks", "ambi_demo_direct", "--model", "alm_api", "--model_args", "model=gpt-audio"),
        OPENAI_API_KEY="",
    )
    assert run.stderr.splitlines()[-1] == (
        "error: alm_api: there is no key; put it into the environment variable OPENAI_API_KEY."
    )


def test_the_traceback_can_be_had(installed: Environment) -> None:
    run = installed.lm_eval("--tasks", "ambi_iemocap_sc", "--model", "alm_hf", AMBI_TRACEBACK="1")
    assert "Traceback" in run.stderr


def test_the_switch_and_the_documented_fallback(installed: Environment) -> None:
    off = installed.lm_eval("validate", "--tasks", "ambi_demo_sc", AMBI_TASKS_PLUGIN="0")
    assert "Tasks not found: ambi_demo_sc" in off.stdout
    folder = installed.call([str(installed.folder / "bin" / "ambi"), "tasks-path"]).stdout.strip()
    assert Path(folder) == installed.site / "ambi_tasks" / "tasks"
    found = installed.lm_eval(
        "validate", "--tasks", "ambi_demo_sc", "--include_path", folder, AMBI_TASKS_PLUGIN="0"
    )
    assert "All tasks found and valid" in found.stdout
    command = [str(installed.python), "-m", "ambi_tasks", "--tasks", "ambi_demo_direct"]
    command += ["--model", "alm_hf", "--model_args", "pretrained=demo", "--limit", "1"]
    ran = installed.call(command, AMBI_TASKS_PLUGIN="0")
    assert "|ambi_demo_direct|" in ran.stdout, ran.stderr


THEIR_MODEL = """
from model_adapters.backend import Answer, Backend, Capabilities
from model_adapters.registry import register_adapter


@register_adapter("alm_theirs")
class TheirBackend(Backend):
    capabilities = Capabilities(sampling=False)

    def __init__(self, *, mood="sad", batch_size=1, max_batch_size=None, device=None):
        self.mood = mood

    @property
    def model_name(self):
        return "theirs"

    def draw(self, orders):
        for position, order in enumerate(orders):
            for index in order.indices:
                yield position, index, Answer(\'{"%s": 1}\' % self.mood)
"""

THEIR_PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "their-model"
version = "1"

[project.entry-points."ambi_tasks.adapters"]
alm_theirs = "their_model:TheirBackend"

[tool.hatch.build.targets.wheel]
only-include = ["their_model.py"]
"""


def test_another_teams_model_fits_without_touching_ours(
    installed: Environment, tmp_path: Path
) -> None:
    (tmp_path / "their_model.py").write_text(THEIR_MODEL)
    (tmp_path / "pyproject.toml").write_text(THEIR_PROJECT)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    installed.run(
        textwrap.dedent(f"""
            import numpy, soundfile
            soundfile.write({str(corpus / "a.wav")!r}, numpy.ones(9000) / 9, 16000)
        """)
    )
    (corpus / "votes.csv").write_text(
        "utterance,path,speaker,rater,emotion\na,a.wav,s,r1,happy\na,a.wav,s,r2,sad\n"
    )
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (built,) = (tmp_path / "dist").glob("*.whl")
    installed.pip("install", "--no-deps", "--no-index", str(built))
    run = installed.lm_eval(
        *("--tasks", "ambi_demo_direct", "--model", "alm_theirs", "--model_args", "mood=happy"),
        DEMO_ROOT=str(corpus),
    )
    assert "|brier " in run.stdout.replace("|       |      |       |brier", "|brier"), run.stderr
    assert "0.5000" in run.stdout
    refused = installed.lm_eval(
        *("--tasks", "ambi_demo_sc", "--model", "alm_theirs"), DEMO_ROOT=str(corpus)
    )
    assert refused.stderr.splitlines()[-1] == "error: alm_theirs: this model does not sample."


def test_a_broken_installation_does_not_break_the_host(wheel: Path, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "env")
    environment.pip("install", "--no-deps", "--no-index", str(wheel))
    (environment.site / "ambi_tasks" / "plugin.py").write_text("raise RuntimeError('broken')\n")
    assert "'hf'" in environment.run(MODELS)
    environment.pip("uninstall", "--yes", "ambi-tasks")
    assert not (environment.site / "ambi_tasks_plugin.pth").exists()


def test_the_editable_checkout_is_found_too() -> None:
    """This very environment holds the checkout, as `make test` installs it."""
    code = (
        "import ambi_tasks, sys; print(ambi_tasks.__file__); "
        "print(any('Ambi' in repr(f) for f in sys.meta_path))"
    )
    clean = {k: v for k, v in os.environ.items() if k != "AMBI_TASKS_PLUGIN"}
    printed = subprocess.run(
        [sys.executable, "-c", code], env=clean, cwd="/", capture_output=True, text=True, check=True
    ).stdout.split()
    assert printed == [str(REPOSITORY / "ambi_tasks" / "__init__.py"), "True"]
