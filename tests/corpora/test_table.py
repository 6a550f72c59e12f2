"""Tables that users write."""

import logging

import pyarrow as pa
import pyarrow.parquet
import pytest

from ambi_tasks.audio import Clip
from ambi_tasks.corpora import get_corpus
from ambi_tasks.corpora.table import corpus_for, read_table
from ambi_tasks.documents import select_documents
from ambi_tasks.errors import UserError
from ambi_tasks.labels import Vote
from tests.corpora.builders import write_tone

VOTES = """utterance,path,start,end,speaker,rater,emotion
u1,a.wav,0,0.02,anna,r1,calm
u1,a.wav,0,0.02,anna,r2,tense; calm
u2,/abs/b.wav,,,bob,r1,tense
"""
COUNTS = """utterance,path,tense,calm
u1,a.wav,1,2
u2,b.wav,0,
u3,a.wav,3.0,0
"""


def table(folder, text, name="votes.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_one_row_per_vote(tmp_path):
    first, second = read_table(table(tmp_path, VOTES))
    assert first.votes == (Vote(("calm",), "r1"), Vote(("tense", "calm"), "r2"))
    assert first.clip == Clip(str(tmp_path / "a.wav"), 0.0, 0.02)
    assert (first.speaker, second.speaker) == ("anna", "bob")
    assert second.clip == Clip("/abs/b.wav")


def test_one_column_per_class(tmp_path):
    first, second, third = read_table(table(tmp_path, COUNTS))
    assert first.votes == (Vote(("tense",)), Vote(("calm",)), Vote(("calm",)))
    assert second.votes == ()
    assert third.votes == (Vote(("tense",)),) * 3
    assert first.speaker == "u1", "an utterance of an unknown speaker stands for itself"


@pytest.mark.parametrize("text", [VOTES, COUNTS])
def test_parquet_says_the_same(tmp_path, text):
    header, *lines = [line.split(",") for line in text.splitlines()]
    columns = {name: [line[n] or None for line in lines] for n, name in enumerate(header)}
    if text is COUNTS:
        columns["calm"] = [int(value or 0) for value in columns["calm"]]
    path = tmp_path / "votes.parquet"
    pyarrow.parquet.write_table(pa.table(columns), path)
    assert list(read_table(path)) == list(read_table(table(tmp_path, text)))


def test_the_task_takes_its_classes_from_the_table(tmp_path):
    write_tone(tmp_path / "a.wav")
    path = table(tmp_path, COUNTS.replace("b.wav", "a.wav"))
    metadata = {"table": str(path)}
    selection = select_documents(get_corpus("table", metadata), metadata)
    assert selection.label_rule.classes == ("calm", "tense")
    assert [row["id"] for row in selection.documents] == ["u1", "u3"]
    assert selection.counts["dropped"] == {"no_votes": 1}
    assert selection.documents[0]["soft_label"] == pytest.approx([2 / 3, 1 / 3])
    chosen = {"table": str(path), "label_rule": {"classes": ["tense", "calm"]}}
    named = select_documents(get_corpus("table", chosen), chosen)
    assert named.documents[0]["soft_label"] == pytest.approx([1 / 3, 2 / 3])


@pytest.mark.parametrize(
    ("text", "old", "new", "message"),
    [
        (VOTES, "r2,tense; calm", "r1,calm", r":3: a second vote of r1 for u1"),
        (VOTES, "tense; calm", " ; ", r":3: no value for emotion"),
        (VOTES, "0.02,anna,r2", "0.03,anna,r2", r":3: the end of u1 was '0.02' and is now '0.03'"),
        (VOTES, "b.wav,,,", "b.wav,then,,", r":4: start 'then' is no number"),
        (VOTES, "b.wav,,,", "b.wav,-1,,", r":4: start -1 is no time"),
        (VOTES, "u2,/abs", "u2,,\nu2,/abs", r"the row is not as long as the header"),
        (VOTES, "path", "file", r":1: the header lacks the column\(s\) path"),
        (COUNTS, "u3,", "u1,", r":4: the votes of u1 are not next to each other; sort "),
        (COUNTS, "u2,b.wav,0,", "u1,a.wav,0,1", r":3: a second row of counts for u1"),
        (COUNTS, "1,2", "0.35,0.65", r":2: 0.35 votes for tense. Counts are whole numbers"),
        (COUNTS, "1,2", "-1,2", r":2: -1 votes for tense"),
        (COUNTS, "1,2", "nan,2", r":2: nan votes for tense"),
        (COUNTS, "1,2", "inf,2", r":2: inf votes for tense"),
        (COUNTS, "1,2", "many,2", r":2: 'many' is no count of votes for tense"),
    ],
)
def test_bad_tables(tmp_path, text, old, new, message):
    assert text.count(old) == 1
    path = table(tmp_path, text.replace(old, new))
    with pytest.raises(UserError, match=message):
        list(read_table(path))


NOTED = """utterance,path,duration,calm,tense,relaxed
u1,a.wav,1.5,1,2,1
u2,a.wav,,2,0,0
"""


def selected(path, **rule):
    metadata = {"table": str(path), **({"label_rule": rule} if rule else {})}
    return select_documents(get_corpus("table", metadata), metadata)


def test_named_classes_are_the_only_counts(tmp_path):
    write_tone(tmp_path / "a.wav")
    path = table(tmp_path, NOTED)
    with pytest.raises(UserError, match=r"1\.5 votes for duration"):
        selected(path)
    named = selected(path, classes=["calm", "tense"])
    assert [row["votes"] for row in named.documents] == [[1, 2], [2, 0]]
    merged = selected(path, classes=["calm", "tense"], merge={"relaxed": "calm"})
    assert [row["votes"] for row in merged.documents] == [[2, 2], [2, 0]]
    with pytest.raises(UserError, match=r"no 'tens' in The table votes\.csv; did you mean 'tense'"):
        selected(path, classes=["calm", "tens"])
    with pytest.raises(UserError, match=r"no votes outside the classes .* out_of_set 'drop_utter"):
        selected(path, classes=["calm", "tense"], out_of_set="drop_utterance")


def test_named_classes_leave_votes_outside(tmp_path):
    write_tone(tmp_path / "a.wav")
    path = table(tmp_path, VOTES.replace("/abs/b.wav", "a.wav") + "u2,a.wav,,,bob,r2,bored\n")
    chosen = selected(path, classes=["calm", "tense"])
    assert chosen.counts["votes"] == {"counted": 3, "outside": 1}
    with pytest.raises(UserError, match="did you mean 'tense'"):
        selected(path, classes=["calm", "tence"])
    with pytest.raises(UserError, match="classes are a list of words"):
        selected(path, classes="calm")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_column_without_a_name_is_refused(tmp_path, suffix):
    write_tone(tmp_path / "a.wav")
    path = table(tmp_path, ",utterance,path,calm,tense\n0,u1,a.wav,1,2\n")
    if suffix == "parquet":
        columns = {"utterance": ["u1"], "path": ["a.wav"], "calm": [1], "tense": [2]}
        path = tmp_path / "votes.parquet"
        pyarrow.parquet.write_table(pa.table({**columns, "__index_level_0__": [0]}), path)
    with pytest.raises(UserError, match="a column has no name, as pandas writes its index"):
        selected(path)
    assert selected(path, classes=["calm", "tense"]).documents[0]["votes"] == [1, 2]


def test_the_classes_taken_are_told(tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="lm_eval.ambi_tasks.corpora.table"):
        corpus_for({"table": str(table(tmp_path, COUNTS))})
    assert caplog.messages == [f"{tmp_path / 'votes.csv'}: the classes are calm, tense."]


def test_the_environment_does_not_say_where_a_table_lies(tmp_path, monkeypatch):
    path = table(tmp_path, COUNTS)
    monkeypatch.setenv("TABLE_ROOT", str(tmp_path / "nowhere"))
    assert corpus_for({"table": str(path)}).root({}) == tmp_path


def test_bad_names_of_tables(tmp_path):
    with pytest.raises(UserError, match="No table was named: give one with --metadata"):
        get_corpus("table")
    with pytest.raises(UserError, match="a folder, not a table; name the CSV or Parquet file in"):
        corpus_for({"table": str(tmp_path)})
    with pytest.raises(UserError, match=r"none\.csv: the file is missing"):
        corpus_for({"table": str(tmp_path / "none.csv")})
    one = table(tmp_path, "utterance,path,calm\nu1,a.wav,1\n")
    with pytest.raises(UserError, match=r"two or more classes are needed, but there is \['calm'\]"):
        corpus_for({"table": str(one)})
    fake = table(tmp_path, VOTES, "fake.parquet")
    with pytest.raises(UserError, match=r"fake\.parquet: cannot be read as a Parquet table"):
        corpus_for({"table": str(fake)})
    pyarrow.parquet.write_table(pa.table({"utterance": ["u"]}), tmp_path / "few.parquet")
    with pytest.raises(UserError, match=r"few\.parquet: the column\(s\) path are missing"):
        corpus_for({"table": str(tmp_path / "few.parquet")})
