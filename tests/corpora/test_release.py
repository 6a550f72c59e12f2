"""Which release a copy is."""

import shutil
import subprocess

import pytest

from ambi_tasks.corpora.release import release_of


@pytest.mark.parametrize(
    ("name", "release"),
    [
        ("MSP-PODCAST-Publish-1.11", "1.11"),
        ("podcast_v2.0", "2.0"),
        ("1.2.3.4", ""),
        ("IEMOCAP_full_release", ""),
        ("crema 7", ""),
    ],
)
def test_the_version_in_the_name(tmp_path, name, release):
    (tmp_path / name).mkdir()
    assert release_of(tmp_path / name) == release


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_commit_of_a_clone(tmp_path, monkeypatch):
    root = tmp_path / "CREMA-D-1.0"
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b.example"]
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    assert release_of(root) == "1.0", "a clone without a commit"
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "x"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    assert release_of(root) == f"commit {head.stdout[:12]}"
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert release_of(root) == f"commit {head.stdout[:12]}", "whatever the environment says"
    monkeypatch.delenv("GIT_DIR")
    (root / "part").mkdir()
    assert release_of(root / "part") == "", "a folder inside another project's clone"
