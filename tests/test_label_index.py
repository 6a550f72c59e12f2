"""The index of a corpus: built once, used again while nothing changed, and the same as before."""

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ambi_tasks.audio import Clip
from ambi_tasks.corpora import Corpus, Utterance
from ambi_tasks.errors import UserError
from ambi_tasks.label_index import LabelIndex, cache_folder, label_index
from ambi_tasks.labels import LabelRule, Vote

RULE = LabelRule(("yes", "no"))
NOTE = "votes.txt: 1 line is left out."
_reader_log = logging.getLogger("lm_eval.ambi_tasks.corpora.counted")


class Reader:
    """Reads `votes.txt`, lines of `name yes|no|maybe ...`, and counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def corpus(self, **fields: Any) -> Corpus:
        return Corpus(
            name="counted",
            title="Counted",
            source="here",
            licence="none",
            label_rule=RULE,
            read=self.read,
            **{"label_files": lambda root: [root / "votes.txt"], **fields},
        )

    def read(self, root: Path, part: str = "all") -> Iterator[Utterance]:
        self.calls += 1
        for line in (root / "votes.txt").read_text(encoding="utf-8").splitlines():
            name, *ticks = line.split()
            if name == "#":
                _reader_log.warning("%s: %d line is left out.", "votes.txt", 1)
                _reader_log.info("a detail")
                continue
            if ticks == ["fault"]:
                raise UserError(f"votes.txt: {name} is at fault.")
            yield Utterance(
                name,
                Clip(str(root / f"{name}.wav")),
                tuple(Vote((tick,)) for tick in ticks),
                speaker="s",
                attributes={"part": part},
            )


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AMBI_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "votes.txt").write_text("a yes no\nb yes yes\nc maybe\nd\n", encoding="utf-8")
    return folder


def rows(index: LabelIndex) -> list[dict[str, Any]]:
    return list(index.rows)


def test_the_second_time_nothing_is_read(root: Path) -> None:
    reader = Reader()
    built, opened = (label_index(reader.corpus(), root, {}, RULE) for _ in range(2))
    assert reader.calls == 1
    assert rows(opened) == rows(built)
    assert opened.dropped == built.dropped == {"out_of_set": 1, "no_votes": 1}
    assert opened.manifest_sha256 == built.manifest_sha256
    first, second = rows(opened)
    assert (first["id"], first["soft_label"], first["stratum"]) == ("a", [0.5, 0.5], "low")
    assert (second["soft_label"], second["stratum"]) == ([1.0, 0.0], "unanimous")
    assert first["audio"] == {"path": str(root / "a.wav"), "start": None, "end": None}
    assert first["attributes"] == {"part": "all"}


def test_without_label_files_there_is_no_index_but_the_same_rows(root: Path) -> None:
    reader = Reader()
    plain = [label_index(reader.corpus(label_files=None), root, {}, RULE) for _ in range(2)]
    assert reader.calls == 2
    assert rows(plain[0]) == rows(label_index(reader.corpus(), root, {}, RULE))
    assert not [path for path in cache_folder().iterdir() if "counted" not in path.name]


@pytest.mark.parametrize("change", ["file", "option", "rule"])
def test_what_changes_is_read_again(root: Path, change: str) -> None:
    reader = Reader()
    before = label_index(reader.corpus(), root, {}, RULE)
    options, rule = {}, RULE
    if change == "file":
        (root / "votes.txt").write_text("a no no\n", encoding="utf-8")
    elif change == "option":
        options = {"part": "test"}
    else:
        rule = LabelRule(("no", "yes"))
    after = label_index(reader.corpus(), root, options, rule)
    assert reader.calls == 2
    assert rows(after) != rows(before)


def test_a_file_of_the_same_size_is_read_again(root: Path) -> None:
    reader = Reader()
    label_index(reader.corpus(), root, {}, RULE)
    os.utime(root / "votes.txt", (1, 1))
    label_index(reader.corpus(), root, {}, RULE)
    assert reader.calls == 2


def test_a_fault_leaves_nothing_behind(root: Path) -> None:
    reader = Reader()
    (root / "votes.txt").write_text("a yes\nb fault\n", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(UserError, match="b is at fault"):
            label_index(reader.corpus(), root, {}, RULE)
    assert list(cache_folder().iterdir()) == []


def test_a_broken_index_is_set_aside(root: Path) -> None:
    reader = Reader()
    expected = rows(label_index(reader.corpus(), root, {}, RULE))
    (index,) = cache_folder().iterdir()
    (index / "summary.json").write_text("{", encoding="utf-8")
    assert rows(label_index(reader.corpus(), root, {}, RULE)) == expected
    assert reader.calls == 2
    assert sorted("broken" in path.name for path in cache_folder().iterdir()) == [False, True]


def test_no_utterance_with_a_label(root: Path) -> None:
    (root / "votes.txt").write_text("a maybe\n", encoding="utf-8")
    for _ in range(2):
        index = label_index(Reader().corpus(), root, {}, RULE)
        assert (len(index.rows), index.dropped) == (0, {"out_of_set": 1})


def test_a_missing_label_file_is_the_readers_to_report(root: Path) -> None:
    (root / "votes.txt").unlink()
    with pytest.raises(FileNotFoundError):
        label_index(Reader().corpus(), root, {}, RULE)


def test_the_cache_is_where_the_variable_says(root: Path, tmp_path: Path) -> None:
    label_index(Reader().corpus(), root, {}, RULE)
    assert cache_folder() == tmp_path / "cache" / "indexes"
    assert len(list(cache_folder().iterdir())) == 1


def test_clips_that_are_known_to_be_silent_are_left_out_and_counted(root: Path) -> None:
    corpus = Reader().corpus(known_faults={"silent": (("b",),), "identical": (("a", "c"),)})
    index = label_index(corpus, root, {}, RULE)
    assert [row["id"] for row in index.rows] == ["a"]
    assert index.dropped["known_silent"] == 1


def test_what_the_reader_left_out_is_told_every_time(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (root / "votes.txt").write_text("a yes no\n# no\n", encoding="utf-8")
    reader = Reader()
    for label_files in (lambda root: [root / "votes.txt"], None):
        corpus = reader.corpus(label_files=label_files)
        for _ in range(2):
            caplog.clear()
            assert label_index(corpus, root, {}, RULE).notes == (NOTE,)
            assert caplog.messages == [NOTE]
    assert reader.calls == 3


def test_notes_do_not_depend_on_what_is_shown(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    (root / "votes.txt").write_text("a yes no\n# no\n", encoding="utf-8")
    with caplog.at_level(logging.ERROR, logger="lm_eval"):
        assert label_index(Reader().corpus(), root, {}, RULE).notes == (NOTE,)
    (root / "votes.txt").write_text("b yes no\n# no\n", encoding="utf-8")
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="lm_eval"):
        label_index(Reader().corpus(), root, {}, RULE)
    assert caplog.messages == ["a detail", NOTE]


@pytest.mark.parametrize("below", ["", "indexes"])
def test_a_cache_that_is_a_file(root: Path, tmp_path: Path, below: str) -> None:
    (tmp_path / "cache").parent.mkdir(exist_ok=True)
    if below:
        (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / below).write_text("", encoding="utf-8")
    with pytest.raises(UserError, match=r"no index can be written there .* set AMBI_CACHE to a"):
        label_index(Reader().corpus(), root, {}, RULE)


def test_a_cache_that_may_not_be_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryDirectory", refuse)
    with pytest.raises(UserError, match=r"no index can be written there \(Permission denied\)"):
        label_index(Reader().corpus(), root, {}, RULE)


@pytest.mark.parametrize(
    "summary",
    [
        [],
        {},
        {"rows": "2", "dropped": {}, "manifest_sha256": "", "notes": []},
        {"rows": 2, "dropped": [], "manifest_sha256": "", "notes": []},
        {"rows": 2, "dropped": {"no_votes": "1"}, "manifest_sha256": "", "notes": []},
        {"rows": 2, "dropped": {}, "manifest_sha256": "", "notes": None},
    ],
)
def test_a_summary_of_a_wrong_type_is_broken(root: Path, summary: Any) -> None:
    reader = Reader()
    expected = rows(label_index(reader.corpus(), root, {}, RULE))
    (index,) = cache_folder().iterdir()
    (index / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    assert rows(label_index(reader.corpus(), root, {}, RULE)) == expected
    assert reader.calls == 2


def test_old_leftovers_of_a_build_are_removed(root: Path) -> None:
    old, young = (cache_folder() / f".building-{age}" for age in ("old", "young"))
    for folder in (old, young):
        (folder / "index").mkdir(parents=True)
    os.utime(old, (1, 1))
    label_index(Reader().corpus(), root, {}, RULE)
    assert (old.exists(), young.exists()) == (False, True)


def test_another_folder_beside_the_labels_changes_nothing(root: Path) -> None:
    reader = Reader()
    label_index(reader.corpus(), root, {}, RULE)
    (root / "results").mkdir()
    label_index(reader.corpus(), root, {}, RULE)
    assert reader.calls == 1


def test_audio_that_moved_is_found_again(root: Path) -> None:
    (root / "votes.txt").write_text("old/a yes no\n", encoding="utf-8")
    (root / "old").mkdir()
    reader = Reader()
    corpus = reader.corpus()
    before = label_index(corpus, root, {}, RULE)
    (root / "old").rename(root / "new")

    def read(root: Path) -> Iterator[Utterance]:
        for one in reader.read(root):
            yield replace(one, clip=Clip(one.clip.path.replace("old/", "new/")))

    for _ in range(2):
        after = label_index(replace(corpus, read=read), root, {}, RULE)
        assert after.rows[0]["audio"]["path"] == str(root / "new" / "a.wav")
    assert reader.calls == 2
    assert len(list(cache_folder().iterdir())) == 1
    assert before.rows[0]["audio"]["path"] == str(root / "old" / "a.wav"), "still open"
