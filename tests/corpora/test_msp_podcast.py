"""MSP-Podcast: the reader on look-alikes of its releases, with their drift and their traps."""

import logging

import pytest

from ambi_tasks.audio import load_waveform
from ambi_tasks.corpora import get_corpus
from ambi_tasks.corpora.msp_podcast import read
from ambi_tasks.documents import select_documents
from ambi_tasks.errors import UserError
from ambi_tasks.labels import Vote
from tests.corpora.builders import PODCAST_RELEASES, PodcastTurn, write_msp_podcast

W1, W2, W3 = "WORKER00000013", "WORKER00000014", "WORKER00000015"
TURNS = [
    PodcastTurn("MSP-PODCAST_0001_0008", {W1: "Happy", W2: "Sad", W3: "Other-Inquisitive"}),
    PodcastTurn("MSP-PODCAST_0001_0019", {W1: "Neutral", W3: "Angry"}, speaker="Unknown"),
    PodcastTurn("MSP-PODCAST_0002_0033", {W2: "Contempt"}, "Test2", "9", "Male"),
    PodcastTurn("MSP-PODCAST_0003_0001", {W2: "Fear", W1: "Surprise"}, "Development", "10"),
    PodcastTurn("MSP-PODCAST_0004_0001", {W2: "Disgust", W1: "Sad"}, "Train", "11", "Unknown"),
    PodcastTurn("MSP-PODCAST_test3_0001", {}, "Test3"),
]
VOTES = {
    "MSP-PODCAST_0001_0008": (Vote(("happy",), W1), Vote(("sad",), W2), Vote(("other",), W3)),
    "MSP-PODCAST_0001_0019": (Vote(("neutral",), W1), Vote(("angry",), W3)),
    "MSP-PODCAST_0002_0033": (Vote(("contempt",), W2),),
    "MSP-PODCAST_0003_0001": (Vote(("fear",), W2), Vote(("surprise",), W1)),
    "MSP-PODCAST_0004_0001": (Vote(("disgust",), W2), Vote(("sad",), W1)),
}
TEST1 = {name: VOTES[name] for name in ("MSP-PODCAST_0001_0008", "MSP-PODCAST_0001_0019")}
PARTS = {
    "test1": TEST1,
    "test2": {"MSP-PODCAST_0002_0033": VOTES["MSP-PODCAST_0002_0033"]},
    "development": {"MSP-PODCAST_0003_0001": VOTES["MSP-PODCAST_0003_0001"]},
    "train": {"MSP-PODCAST_0004_0001": VOTES["MSP-PODCAST_0004_0001"]},
    "all": VOTES,
}


@pytest.fixture
def root(tmp_path):
    return write_msp_podcast(tmp_path, TURNS)


def votes_under(root, **options):
    return {one.id: one.votes for one in read(root, **options)}


def edit(path, old, new):
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def warnings(caplog):
    return [record.getMessage() for record in caplog.records]


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.WARNING, logger="lm_eval.ambi_tasks.corpora.msp_podcast")
    return lambda: warnings(caplog)


# --- what releases have in common ----------------------------------------------------------------


@pytest.mark.parametrize("release", PODCAST_RELEASES)
@pytest.mark.parametrize("split", PARTS)
def test_every_part_of_every_release(tmp_path, release, split):
    root = write_msp_podcast(tmp_path, TURNS, release)
    utterances = list(read(root, split=split))
    assert {one.id: one.votes for one in utterances} == PARTS[split]
    assert all(len(load_waveform(one.clip)) == 800 for one in utterances)


def test_the_default_is_the_first_test_part(root):
    assert votes_under(root) == TEST1


def test_speakers_and_attributes(root):
    # Turns of unknown speakers are kept together by podcast: they may be one person's.
    assert {one.id: (one.speaker, dict(one.attributes)) for one in read(root, split="all")} == {
        "MSP-PODCAST_0001_0008": ("127", {"part": "test1", "sex": "female"}),
        "MSP-PODCAST_0001_0019": (
            "MSP-PODCAST_0001_unknown", {"part": "test1", "sex": "female"}
        ),
        "MSP-PODCAST_0002_0033": ("9", {"part": "test2", "sex": "male"}),
        "MSP-PODCAST_0003_0001": ("10", {"part": "development", "sex": "female"}),
        "MSP-PODCAST_0004_0001": ("11", {"part": "train", "sex": "unknown"}),
    }  # fmt: skip


def test_votes_outside_the_classes_are_counted_as_outside(root):
    selection = select_documents(get_corpus("msp_podcast"), {"msp_podcast_root": str(root)})
    assert selection.counts == {
        "read": 2,
        "kept": 2,
        "dropped": {},
        "votes": {"counted": 4, "outside": 1},
    }
    assert selection.documents[0]["soft_label"] == [0, 0.5, 0, 0.5]  # not divided by all workers


def test_the_preset_of_aer_llm_drops_turns_with_a_vote_outside(root):
    metadata = {"msp_podcast_root": str(root), "label_rule": "aer_llm"}
    selection = select_documents(get_corpus("msp_podcast"), metadata)
    assert selection.counts["dropped"] == {"out_of_set": 1}
    assert selection.documents["id"] == ["MSP-PODCAST_0001_0019"]


# --- votes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("release", ["1.6", "1.6-json", "1.12", "2.0"])
@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("Neutral", "neutral"),
        ("Happy", "happy"),
        ("Angry", "angry"),
        ("Sad", "sad"),
        ("Surprise", "surprise"),
        ("Fear", "fear"),
        ("Disgust", "disgust"),
        ("Contempt", "contempt"),
        ("Other", "other"),
        (" happy ", "happy"),
        ("Other-Happy", "other"),
        ("Other(sad, but amused)", "other"),
        ('Other-"so-so", A:1', "other"),
        ("Confused", "other"),
        ("Other-caf\u00e9", "other"),
    ],
)
def test_primary_emotions(tmp_path, release, written, label):
    root = write_msp_podcast(
        tmp_path, [PodcastTurn("MSP-PODCAST_0001_0008", {W1: written})], release
    )
    assert votes_under(root) == {"MSP-PODCAST_0001_0008": (Vote((label,), W1),)}


@pytest.mark.parametrize("release", ["1.6", "1.6-json", "1.12", "2.0"])
@pytest.mark.parametrize("written", ["", "NaN", "nan"])
def test_a_worker_without_an_emotion_is_no_vote(tmp_path, release, written, told):
    turns = [
        PodcastTurn("MSP-PODCAST_0001_0008", {W1: written, W2: "Sad"}),
        PodcastTurn("MSP-PODCAST_0001_0019", {W1: written}),
    ]
    root = write_msp_podcast(tmp_path, turns, release)
    selection = select_documents(get_corpus("msp_podcast"), {"msp_podcast_root": str(root)})
    assert selection.counts == {
        "read": 2,
        "kept": 1,
        "dropped": {"no_votes": 1},
        "votes": {"counted": 1, "outside": 0},
        "notes": ["MSP-Podcast: 2 workers gave no emotion for a turn and are not counted."],
    }
    assert told() == ["MSP-Podcast: 2 workers gave no emotion for a turn and are not counted."]


@pytest.mark.parametrize("value", ["null", "NaN"])
def test_no_emotion_in_json(tmp_path, value):
    root = write_msp_podcast(tmp_path, TURNS, "1.6-json")
    edit(root / "label" / "labels_detailed.json", b'"Sad"', value.encode())
    votes = votes_under(root)["MSP-PODCAST_0001_0008"]
    assert votes == (Vote(("happy",), W1), Vote((), W2), Vote(("other",), W3))


def test_an_absent_field_is_no_vote(root):
    edit(root / "Labels" / "labels_detailed.csv", b" Happy; Fear,Sad; A", b" A")
    assert votes_under(root)["MSP-PODCAST_0001_0008"][0] == Vote((), W1)


def test_votes_of_a_turn_need_not_stand_together(root):
    table = root / "Labels" / "labels_detailed.csv"
    heading, first, *rest = table.read_text().splitlines()
    table.write_text("\n".join([heading, *rest, first]) + "\n")
    votes = votes_under(root)
    assert votes["MSP-PODCAST_0001_0008"] == (
        *TEST1["MSP-PODCAST_0001_0008"][1:],
        Vote(("happy",), W1),
    )


@pytest.mark.parametrize("emotion", ["Happy", "Angry"])
def test_a_worker_votes_once_for_a_turn(root, emotion, told):
    with (root / "Labels" / "labels_detailed.csv").open("a") as file:
        file.write(f'MSP-PODCAST_0001_0008.wav,"{W1}; {emotion}; ; A:1.0; V:1.0; D:1.0;"\n')
    assert votes_under(root) == TEST1
    assert told() == ["MSP-Podcast: 1 second votes of a worker for the same turn are left out."]


def test_turns_without_votes_are_dropped_by_name(root):
    table = root / "Labels" / "labels_detailed.csv"
    lines = [line for line in table.read_text().splitlines() if "_0001_0019" not in line]
    table.write_text("\n".join(lines) + "\n")
    selection = select_documents(get_corpus("msp_podcast"), {"msp_podcast_root": str(root)})
    assert selection.counts["dropped"] == {"no_votes": 1}


@pytest.mark.parametrize(
    ("split", "names", "fate"),
    [("test1", list(TEST1), "left out"), ("all", [*VOTES, "MSP-PODCAST_0009_0001"], "read")],
)
@pytest.mark.parametrize("listed", [False, True])
def test_turns_in_no_part(root, told, split, names, fate, listed):
    if listed:
        with (root / "Labels" / "labels_consensus.csv").open("a") as file:
            file.write("MSP-PODCAST_0009_0001.wav,X,1,1,1,5,Male,\n")
    with (root / "Labels" / "labels_detailed.csv").open("a") as file:
        file.write(f'MSP-PODCAST_0009_0001.wav,"{W1}; Sad; ; A:1.0; V:1.0; D:1.0;"\n')
    assert list(votes_under(root, split=split)) == names
    assert told() == [
        f"MSP-Podcast: 1 turns with votes are in no part of the official split and are {fate}."
    ]


# --- parts and speakers --------------------------------------------------------------------------


def test_the_partition_alone_tells_the_part(root):
    (root / "Labels" / "labels_consensus.csv").unlink()
    for split, votes in PARTS.items():
        assert votes_under(root, split=split) == votes
    first, second = read(root)
    assert (first.speaker, second.speaker) == ("127", "MSP-PODCAST_0001_unknown")
    assert first.attributes == {"part": "test1", "sex": "female"}


def test_the_consensus_alone_tells_the_part(root):
    (root / "Partition.txt").unlink()
    (root / "Speaker_ids.txt").unlink()
    for split, votes in PARTS.items():
        assert votes_under(root, split=split) == votes


def test_the_votes_alone_are_all(root):
    (root / "Labels" / "labels_consensus.csv").unlink()
    (root / "Partition.txt").unlink()
    assert votes_under(root, split="all") == VOTES
    with pytest.raises(
        UserError, match=r"neither Labels/labels_consensus\.csv nor Partitions\.txt"
    ):
        votes_under(root)


def test_speakers_that_the_consensus_lacks(root):
    table = root / "Labels" / "labels_consensus.csv"
    table.write_text(table.read_text().replace(",127,Female", ",,").replace("SpkrID", "Speaker"))
    first, _ = read(root)
    assert first.speaker == "127"
    assert first.attributes["sex"] == "female"


def test_lines_of_an_unknown_kind_are_left_out_aloud(root, told):
    edit(root / "Partition.txt", b"Test1", b"MSP-Podcast 1.12\n\nTest1")
    assert votes_under(root) == TEST1
    assert told() == [
        f"{root / 'Partition.txt'}: 1 lines without ';' are left out: MSP-Podcast 1.12"
    ]


def test_contradictory_parts(root):
    edit(root / "Partition.txt", b"Test2; MSP-PODCAST_0002", b"Train; MSP-PODCAST_0002")
    message = r"Partition\.txt:3: MSP-PODCAST_0002_0033 is in the part 'train', but in 'test2'"
    with pytest.raises(UserError, match=message):
        votes_under(root)


def test_an_unknown_split(root):
    metadata = {"msp_podcast_root": str(root), "split": "test"}
    with pytest.raises(UserError, match=r"split for MSP-Podcast is one of test1, .*not 'test'"):
        select_documents(get_corpus("msp_podcast"), metadata)


def test_a_release_without_the_part(tmp_path):
    root = write_msp_podcast(tmp_path, TURNS[3:])
    message = (
        r"'test1' has no turn here; turns by part: development \(1\), test3 \(1\), train \(1\)"
    )
    with pytest.raises(UserError, match=message):
        votes_under(root)


# --- hostile files -------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["labels_detailed.csv", "labels_consensus.csv", "Partition.txt"])
def test_line_ends_and_byte_order_mark_do_not_matter(root, file):
    path = root / file if file == "Partition.txt" else root / "Labels" / file
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert votes_under(root, split="all") == VOTES


def test_bytes_of_other_encodings_in_free_text(root):
    edit(root / "Labels" / "labels_detailed.csv", b"Other-Inquisitive", b"Other-caf\xe9")
    assert votes_under(root) == TEST1


@pytest.mark.parametrize(
    ("release", "old", "new", "message"),
    [
        ("1.12", b"MSP-PODCAST_0001_0008.wav", b"../0008.wav", r":2: '\.\./0008\.wav' is not a"),
        ("1.12", b"_0008.wav,", b"_0008.wav,,", ":2: the row is not as long as the header"),
        ("1.12", b"WORKER00000013; Happy", b"13; Happy", ":2: '13; Happy.*does not start like"),
        ("1.12", b"WORKER00000013; Happy;", b"WORKER00000013 Happy", ":2: .*does not start like"),
        ("1.12", b'"WORKER00000013; Happy', b'"', ":2: .*does not start like 'WORKER00000013"),
        ("1.12", b"EmoDetail", b"Details", r":1: the header lacks the column\(s\) WorkerID"),
        ("2.0", b"WORKER00000013,", b",", ":2: no value for WorkerID"),
        ("2.0", b",Happy", b"", ":2: the row is not as long as the header"),
        ("2.0", b"EmoClass_Major", b"EmoClass", r":1: the header lacks .*EmoClass_Major"),
        ("1.6", b"Workers", b"Raters", r":1: the header lacks the column\(s\) WorkerID"),
    ],
)  # fmt: skip
def test_broken_votes(tmp_path, release, old, new, message):
    root = write_msp_podcast(tmp_path, TURNS, release)
    edit(root / PODCAST_RELEASES[release].labels / "labels_detailed.csv", old, new)
    with pytest.raises(UserError, match=rf"labels_detailed\.csv{message}"):
        votes_under(root)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"{", b"", r"json:\d+: not JSON \(.*restore the original"),
        (b"EmoClass_Major", b"EmoClass", "0008: the entry of WORKER00000013 has no EmoClass_Major"),
        (b"_0001_0019.wav", b"_0001_0008.wav", "MSP-PODCAST_0001_0008: a second entry"),
        (b"MSP-PODCAST_0001_0008.wav", b"a b", "json: 'a b' is not a file like"),
        (b'"EmoClass_Major": "Happy"', b'"Joy": "Happy"', "entry of WORKER00000013 has no"),
    ],
)
def test_broken_json(tmp_path, old, new, message):
    root = write_msp_podcast(tmp_path, TURNS, "1.6-json")
    edit(root / "label" / "labels_detailed.json", old, new)
    with pytest.raises(UserError, match=message):
        votes_under(root)


@pytest.mark.parametrize(
    "content", ["[]x", "[1]", '{"MSP-PODCAST_0001_0008.wav": [1]}', "3", '"text"']
)
def test_json_of_another_kind(tmp_path, content):
    root = write_msp_podcast(tmp_path, TURNS, "1.6-json")
    (root / "label" / "labels_detailed.json").write_text(content)
    with pytest.raises(UserError, match=r"not JSON|not an object of named entries"):
        votes_under(root)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("Labels/labels_consensus.csv", b"_0019", b"_0008", ":3: a second row for .*_0001_0008"),
        ("Labels/labels_consensus.csv", b"Test1", b"Test4", ":2: unknown part 'Test4'; there are"),
        ("Labels/labels_consensus.csv", b"FileName", b"File", ":1: the header lacks .*FileName"),
        ("Labels/labels_consensus.csv", b",Test1", b"", ":2: the row is not as long"),
        ("Partition.txt", b"_0019", b"_0008", ":2: a second line for MSP-PODCAST_0001_0008"),
        ("Partition.txt", b"Test1", b"Evaluation", ":1: unknown part 'Evaluation'"),
        ("Partition.txt", b"Test1; ", b"Test1; Test2; ", ":1: not a line 'a; b'"),
        ("Partition.txt", b"MSP-PODCAST_0001_0008.wav", b"", ":1: not a line 'a; b'"),
        ("Speaker_ids.txt", b"_0008.wav; 127", b"_0008.wav; ", "not a line 'a; b'"),
    ],
)
def test_broken_tables_beside_the_votes(root, file, old, new, message):
    edit(root / file, old, new)
    with pytest.raises(UserError, match=rf"{file}.*{message}"):
        votes_under(root)


@pytest.mark.parametrize("folder", ["Labels", "Audios"])
def test_a_missing_folder(root, folder):
    (root / folder).rename(root / "elsewhere")
    message = rf"no folder {folder} or {folder[:-1]} is there; MSP_PODCAST_ROOT must name"
    with pytest.raises(UserError, match=message):
        votes_under(root)


def test_missing_votes(root):
    (root / "Labels" / "labels_detailed.csv").unlink()
    with pytest.raises(UserError, match=r"neither labels_detailed\.csv nor labels_detailed\.json"):
        votes_under(root)


def test_missing_audio_is_said_once(root):
    (root / "Audios" / "MSP-PODCAST_0001_0019.wav").unlink()
    with pytest.raises(UserError, match="1 of 2 utterances have no audio"):
        select_documents(get_corpus("msp_podcast"), {"msp_podcast_root": str(root)})
