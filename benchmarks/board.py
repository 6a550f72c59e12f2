"""How long a board of 500 entries takes: to read, to build, and to load in a browser.

    CREMA_D_ROOT=... python benchmarks/board.py [--corpus crema_d] [--entries 500] [--keep DIR]

Entries are made up: the demo model's submissions (leaderboard/submissions/) under other names, with
predictions that know some of the corpus's real votes. Without `CREMA_D_ROOT`, `--corpus demo` has
the same number of entries on 60 utterances, which makes a page of the same size.

It prints seconds that passed and seconds of computing, for `ambi board build` as a whole, and for a
page of headless Chromium from the click until all is loaded and painted.
"""

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, sync_playwright

from ambi_tasks.leaderboard.entry import run_of
from ambi_tasks.leaderboard.making import make_submitter
from ambi_tasks.leaderboard.predictions import COUNTS, Predictions, predictions_to_csv
from ambi_tasks.leaderboard.reading import PREDICTIONS, read_submission
from ambi_tasks.leaderboard.references import reference_submissions
from ambi_tasks.leaderboard.scores import point_scores
from ambi_tasks.leaderboard.submission import ModelSubmission, ScoreRecord
from ambi_tasks.leaderboard.task_files import all_fields
from ambi_tasks.leaderboard.truth import corpus_record, find_truth
from ambi_tasks.leaderboard.writing import table_record, write_submission
from ambi_tasks.strategies import get_strategy
from ambi_tasks.strategies.fields import VerifiedFields

TEMPLATES = Path(__file__).parents[1] / "leaderboard/submissions/ambi_tasks__Demo-model/demo"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")
LOADS = 9
LOADED = """() => new Promise(done => requestAnimationFrame(() => setTimeout(
    () => done(performance.now()))))"""


def submissions(corpus: str, entries: int) -> Iterator[tuple[ModelSubmission, dict[str, bytes]]]:
    """Entries that pass validation, and their tables."""
    record = corpus_record(corpus, {})
    truth = find_truth(record, {})
    assert truth is not None
    utterances, classes = truth.soft_labels.shape
    templates = [read_submission(folder).submission for folder in sorted(TEMPLATES.iterdir())]
    for number in range(entries):
        template = templates[number % len(templates)]
        assert isinstance(template, ModelSubmission)
        rng = np.random.default_rng(number)
        skill = rng.uniform(0.1, 0.7)
        noise = rng.dirichlet(np.ones(classes), size=utterances)
        settings = get_strategy(template.strategy.name).settings(all_fields(template.strategy))
        draws = np.full(utterances, settings.pool)
        asked = draws if isinstance(settings, VerifiedFields) else np.zeros_like(draws)
        predictions = Predictions(
            truth.ids,
            skill * truth.soft_labels + (1 - skill) * noise,
            dict(zip(COUNTS, (draws, draws, asked, asked), strict=True)),
        )
        scores = point_scores(run_of("run", predictions, truth))
        table = predictions_to_csv(predictions, record.label_rule.classes)
        name = f"Model {number // len(templates):03d}"
        model = {"name": name, "organization": "Invented", "parameters": 10**8 * (1 + number)}
        counts = {"draws": int(draws.sum()), "parsed": int(draws.sum()), "failures": {}}
        verdicts = {"verdicts": int(asked.sum()), "verified": int(asked.sum())}
        yield (
            template.model_copy(
                update={
                    "corpus": record,
                    "model": template.model.model_copy(update=model),
                    "scores": {key: ScoreRecord(value=one) for key, one in scores.items()},
                    "strata": {},
                    "curve": [],
                    "answers": None,
                    "parsing": template.parsing.model_copy(
                        update={
                            "answered": utterances,
                            "verdict_failures": {},
                            **counts,
                            **verdicts,
                        }
                    ),
                    "predictions": table_record(table, utterances),
                }
            ),
            {PREDICTIONS: table},
        )


def build(board: Path, site: Path) -> None:
    """Run the command, and print what it took."""
    start = time.perf_counter()
    command = [str(Path(sys.executable).with_name("ambi")), "board", "build"]
    said = subprocess.run(
        [*command, "--board", str(board), "-o", str(site)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    passed = time.perf_counter() - start
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(said.stdout.strip())
    print(
        f"ambi board build: {passed:.1f} s, {spent.ru_utime + spent.ru_stime:.1f} s of computing, "
        f"{spent.ru_maxrss / 2**20:.2f} GiB at most in one process"
    )


def load(browser: Browser, page: Path) -> tuple[float, float]:
    """Seconds until a page is loaded and painted: those that passed, those of computing."""
    tab = browser.new_page()
    session = tab.context.new_cdp_session(tab)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    tab.goto(page.as_uri(), wait_until="load")
    passed = float(tab.evaluate(LOADED)) / 1000
    found = session.send("Performance.getMetrics")["metrics"]
    tab.close()
    return passed, next(one["value"] for one in found if one["name"] == "TaskDuration")


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--corpus", default="crema_d")
    parser.add_argument("--entries", type=int, default=500)
    parser.add_argument("--keep", type=Path, help="where board and site stay; built if not there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        board, site = folder / "board", folder / "site"
        if not board.is_dir():
            submitter = make_submitter(name="Nobody", contact="nobody@example.org")
            for submission, tables in reference_submissions(options.corpus, submitter, {}):
                write_submission(board, submission, tables)
            for submission, tables in submissions(options.corpus, options.entries):
                write_submission(board, submission, tables)
        build(board, site)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=next(filter(None, map(shutil.which, CHROMIUM)), None),
                args=["--no-sandbox"],
            )
            for page in (site / f"corpora/{options.corpus}.html", site / "index.html"):
                passed, computed = zip(*(load(browser, page) for _ in range(LOADS)), strict=True)
                size = page.stat().st_size / 2**20
                print(
                    f"{page.relative_to(site)} ({size:.1f} MiB): {statistics.median(passed):.2f} s "
                    f"until it is painted (least {min(passed):.2f}, most {max(passed):.2f}), "
                    f"{statistics.median(computed):.2f} s of computing"
                )


if __name__ == "__main__":
    main()
