"""The board as data says the same as its pages, to the last digit."""

import io
import json
import math

import pyarrow.csv
import pyarrow.parquet
import pytest

from ambi_tasks.leaderboard.site.downloads import downloads
from tests.leaderboard.site.conftest import Written


@pytest.fixture(scope="module")
def files(written: Written):
    return downloads(written.found)


def test_csv_and_parquet_hold_the_same_rows(files):
    csv = pyarrow.csv.read_csv(
        io.BytesIO(files["board.csv"]),
        convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True),
    ).to_pylist()
    parquet = pyarrow.parquet.read_table(io.BytesIO(files["board.parquet"])).to_pylist()
    assert len(csv) == len(parquet) == 15
    for one, other in zip(csv, parquet, strict=True):
        assert one == other


def test_rows_say_what_was_computed(written: Written, files):
    rows = {
        row["key"]: row
        for row in pyarrow.parquet.read_table(io.BytesIO(files["board.parquet"])).to_pylist()
    }
    for group in written.found:
        for one in group.everybody:
            row = rows[one.entry.key]
            assert row["status"] == one.entry.status == "recomputed"
            for name, score in one.scores.items():
                for column, value in ((name, score.value), (f"{name}_low", score.low)):
                    assert row[column] == (None if math.isnan(value) else value)
            assert row["skill_js"] == one.skill.get("js")
            assert row["gain"] == (one.gain.better.value if one.gain else None)
            assert row["rank_group"] == (one.rank.group if one.rank else None)


def test_json_holds_the_submissions_and_no_nan(written: Written, files):
    def refuse(constant: str):
        raise AssertionError(constant)

    content = json.loads(files["board.json"], parse_constant=refuse)
    by_key = {one["key"]: one for one in content["entries"]}
    assert len(by_key) == len(written.board.entries)
    for entry in written.board.entries:
        assert by_key[entry.key]["submission"] == entry.submission.model_dump(mode="json")


def test_equal_boards_give_equal_files(written: Written, files):
    again = downloads(written.found)
    for name in ("board.csv", "board.json"):
        assert again[name] == files[name]
