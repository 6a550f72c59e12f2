"""A newcomer's way, by the README's own commands, to the entry on a page in the browser."""

import html
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ambi_tasks.leaderboard.board import read_board
from ambi_tasks.leaderboard.command import repeat_command
from tests.test_readme import BOARD, HARNESS


def run(command, folder):
    binaries = str(Path(sys.executable).parent)
    environment = {**os.environ, "HOME": str(folder), "HF_HUB_OFFLINE": "1"}
    environment |= {"AMBI_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    environment["PATH"] = f"{binaries}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        command,
        shell=True,
        executable="/bin/bash",
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_from_a_run_to_the_board_and_back(tmp_path):
    demo = next(line for line in HARNESS if "ambi_demo " in line)
    finished = run(demo.replace("ambi_demo ", "ambi_demo_direct,ambi_demo_tlr "), tmp_path)
    assert finished.returncode == 0, finished.stderr
    submit, validate = BOARD
    submitted = run(submit, tmp_path)
    assert submitted.returncode == 0, submitted.stderr
    validated = run(validate, tmp_path)
    assert validated.returncode == 2, validated.stdout + validated.stderr
    assert validated.stdout.count("warning: ") == 2  # nobody examined the model
    board = read_board(tmp_path / "leaderboard")
    assert [entry.key for entry in board.entries] == [
        "ORG__MODEL/demo/direct",
        "ORG__MODEL/demo/tlr",
    ]
    results = json.loads(next(tmp_path.glob("results/*/results_*.json")).read_text())["results"]
    for entry in board.entries:
        assert entry.status == "recomputed"
        task = f"ambi_demo_{entry.submission.strategy.name}"
        reported = results[task]["js,none"]
        assert entry.submission.scores["js"].value == pytest.approx(reported, abs=1e-12)
    built = run("ambi board build -o site/", tmp_path)
    assert built.returncode == 0, built.stderr
    for strategy in ("direct", "tlr"):
        place = tmp_path / f"site/entries/ORG__MODEL/demo/{strategy}.html"
        assert html.escape(f"ambi_demo_{strategy}") in place.read_text(encoding="utf-8")
    # The command of the entry makes the same entry again; its draws are kept, so it takes no time.
    again = tmp_path / "again"
    again.mkdir()
    (again / "cache").symlink_to(tmp_path / "cache")
    repeated = run(repeat_command(board.entries[0].submission), again)
    assert repeated.returncode == 0, repeated.stderr
    assert run(submit, again).returncode == 0
    one = "leaderboard/submissions/ORG__MODEL/demo/direct/predictions.csv.gz"
    assert (again / one).read_bytes() == (tmp_path / one).read_bytes()


def test_the_entry_is_found_in_the_browser(browser, own_board, tmp_path):
    """From the first page, by clicks alone."""
    built = run(f"ambi board build --board {own_board} -o site/", tmp_path)
    assert built.returncode == 0, built.stderr
    page = browser.new_page()
    page.goto((tmp_path / "site/index.html").as_uri())
    page.locator("nav").get_by_text("Demo").click()
    page.locator("[name=text]").fill("scripted")
    page.locator("[name=strategy]").select_option("walmv")
    page.locator("table >> nth=0 >> tbody >> nth=0 >> tr:visible >> th a").click()
    assert page.locator("h1").text_content() == "Scripted 1B, walmv"
    shown = page.locator("#scores ~ .scroll tbody tr").first
    assert shown.locator("th").text_content() == "js ↓"
    (entry,) = [one for one in read_board(own_board).entries if one.key.endswith("/walmv")]
    value = shown.locator("td").first.get_attribute("data-key")
    assert float(value) == pytest.approx(entry.submission.scores["js"].value, abs=1e-9)
    assert "ambi_demo_walmv" in page.locator("#run-command").text_content()
    assert page.locator("text=Answers that could not be read").count() == 1
    page.close()
