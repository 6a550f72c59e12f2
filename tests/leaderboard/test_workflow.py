"""The workflows of the leaderboard: what they may do, and that their commands work."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.leaderboard.tampering import edit
from tests.leaderboard.test_changes import KEY, changed, commit, git, repository  # noqa: F401

REPOSITORY = Path(__file__).parents[2]
WORKFLOWS = REPOSITORY / ".github/workflows"
CHECK, SITE = WORKFLOWS / "leaderboard-check.yml", WORKFLOWS / "leaderboard-site.yml"


def jobs(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]


def steps(path):
    return [step for job in jobs(path).values() for step in job["steps"]]


@pytest.mark.parametrize("path", [CHECK, SITE], ids=lambda path: path.stem)
class TestEveryWorkflow:
    def test_it_has_no_secret(self, path):
        assert "secrets" not in re.sub(r"#.*", "", path.read_text(encoding="utf-8"))

    def test_it_may_do_nothing_but_what_a_job_says(self, path):
        assert yaml.safe_load(path.read_text(encoding="utf-8"))["permissions"] == {}
        for job in jobs(path).values():
            assert job["timeout-minutes"] <= 60

    def test_actions_are_github_s_own_by_their_commit(self, path):
        for step in steps(path):
            if "uses" in step:
                assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"]), step

    def test_no_expression_stands_in_a_script(self, path):
        for step in steps(path):
            assert "${{" not in step.get("run", ""), step  # texts reach scripts as variables alone

    def test_no_key_stays_in_the_clone(self, path):
        for step in steps(path):
            if "actions/checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False


def test_the_job_that_reads_submissions_may_write_nothing():
    assert jobs(CHECK)["validate"]["permissions"] == {"contents": "read"}
    for step in jobs(CHECK)["validate"]["steps"]:
        assert "token" not in str(step).lower()


def test_the_job_that_comments_runs_no_code_of_the_repository():
    job = jobs(CHECK)["comment"]
    assert job["permissions"] == {"pull-requests": "write"}
    assert not any("checkout" in step.get("uses", "") for step in job["steps"])
    for step in job["steps"]:
        assert not re.search(r"python|pip|ambi |git ", step.get("run", ""))


def test_the_code_that_runs_is_that_of_the_base():
    checkouts = [one for one in steps(CHECK) if "actions/checkout" in one.get("uses", "")]
    assert [one["with"]["ref"] for one in checkouts] == [
        "${{ github.event.pull_request.base.sha }}"
    ]
    # Since PyYAML reads `on` as true.
    assert set(yaml.safe_load(CHECK.read_text(encoding="utf-8"))[True]) == {"pull_request_target"}
    for step in steps(CHECK):
        assert not re.search(r"git (checkout|merge|switch|pull|worktree)", step.get("run", ""))


def run_script(path, step, folder, **variables):
    """Run the script of a step, as the runner does."""
    script = next(one["run"] for one in steps(path) if one.get("name", "").startswith(step))
    binaries = str(Path(sys.executable).parent)
    environment = {**os.environ, **variables}
    environment["PATH"] = f"{binaries}{os.pathsep}{environment['PATH']}"
    environment.pop("CREMA_D_ROOT", None)
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def run_validation(clone, folder, base, head):
    """The script of the workflow, on a clone that has fetched the pull request."""
    folder.mkdir()
    done = run_script(CHECK, "Validate", clone, BASE=base, HEAD=head, RUNNER_TEMP=str(folder))
    return done, (folder / "comment.md").read_text(encoding="utf-8")


def test_the_script_that_builds_the_site(tmp_path):
    for name in ("uniform", "label_prior"):
        entry = f"submissions/reference__{name}/demo"
        shutil.copytree(REPOSITORY / "leaderboard" / entry, tmp_path / "leaderboard" / entry)
    done = run_script(SITE, "Build", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site/index.html").is_file()
    assert (tmp_path / "site/exports/badge.json").is_file()


def test_the_script_that_validates(changed, tmp_path):  # noqa: F811
    head = git(changed, "rev-parse", "HEAD")
    git(changed, "checkout", "-q", "base")  # the clone stands at the base, as in the workflow
    base = git(changed, "rev-parse", "HEAD")
    assert not (changed / "leaderboard/submissions" / KEY).exists()
    (changed / "leaderboard/submissions").mkdir(parents=True, exist_ok=True)
    done, comment = run_validation(changed, tmp_path / "one", base, head)
    assert done.returncode == 0, done.stderr
    assert f"### `{KEY}`: recomputed" in comment
    git(changed, "checkout", "-q", head)
    edit(changed / "leaderboard/submissions" / KEY, "scores.js.value", 0.5)
    (changed / "conftest.py").write_text("raise SystemExit('I ran')", encoding="utf-8")
    (changed / "sitecustomize.py").write_text("raise SystemExit('I ran')", encoding="utf-8")
    worse = commit(changed)
    git(changed, "checkout", "-q", "base")
    (changed / "leaderboard/submissions").mkdir(parents=True, exist_ok=True)
    done, comment = run_validation(changed, tmp_path / "two", base, worse)
    assert done.returncode == 1
    assert f"### `{KEY}`: refused" in comment
    assert "2 files that are no submission change too" in comment
    assert "I ran" not in done.stdout + done.stderr + comment


def test_the_script_that_fetches_votes_is_one_for_bash():
    script = REPOSITORY / "leaderboard/fetch_crema_d_votes.sh"
    if shutil.which("bash") is None:
        pytest.skip("there is no bash")
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert os.access(script, os.X_OK)
    assert str(script.relative_to(REPOSITORY)) in CHECK.read_text(encoding="utf-8")
