"""What strangers may send: each case is refused with a sentence, in bounded time and memory."""

import gzip
import json
import os
import sys
import time
import tracemalloc
import zlib

import pytest

from ambi_tasks.leaderboard.board import MAX_ENTRIES, find_submissions, read_board
from ambi_tasks.leaderboard.files import JSON_BYTES, TABLE_BYTES, UNPACKED_BYTES
from ambi_tasks.leaderboard.reading import ANSWERS, PREDICTIONS, SUBMISSION, Finding
from tests.leaderboard.tampering import (
    change_rows,
    content_of,
    edit,
    faults,
    packed,
    put_table,
    rows_of,
)

SECONDS, MEBIBYTES = 15.0, 300.0


def refused(entry, message, *, traced=True):
    """It is refused in sentences of plain ASCII, one of which says so; soon, in little memory."""
    if traced:  # takes ten times as long
        tracemalloc.start()
    begun = time.process_time()
    found = faults(entry)
    seconds, peak = time.process_time() - begun, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds < SECONDS
    assert peak < MEBIBYTES * 2**20
    assert any(message in one for one in found), found
    for one in found:
        assert one.isascii()
        assert one.isprintable()
        assert len(one) < 1500
        assert "Traceback" not in one


def raw_json(entry, text):
    (entry / SUBMISSION).write_bytes(text.encode() if isinstance(text, str) else text)


# --- texts ---------------------------------------------------------------------------------------

TEXTS = {
    "script": "<script>alert(1)</script>",
    "an image that calls home": '<img src=x onerror="fetch(1)">',
    "an entity that becomes a tag": "a\u003cb",
    "markdown code": "`rm -rf`",
    "right-to-left override": "abc\u202egnp.exe",
    "isolate": "a\u2066b\u2069",
    "zero width": "Qwen\u200b2",
    "zero-width joiner": "a\u200db",
    "byte-order mark": "\ufeffQwen",
    "soft hyphen": "Qw\u00aden",
    "Cyrillic look-alike": "\u0410udio",
    "Greek look-alike": "\u039fpenAI",
    "full width": "\uff31wen",
    "mathematical letters": "\U0001d410wen",
    "combining marks": "Z\u0335\u0321a\u0334",
    "tag characters": "a\U000e0041",
    "line separator": "a\u2028b",
    "null byte": "a\u0000b",
    "escape sequence": "\u001b[31mred",
    "new line": "a\nb",
    "carriage return": "a\rb",
    "YAML tag": "!!python/object/apply:os.system ['true']\n",
    "Jinja": "{{ 7 * 7 }}\u0007",
    "a very long text": "a" * 501,
    "nothing": "",
}


@pytest.mark.parametrize("text", TEXTS, ids=str)
@pytest.mark.parametrize(
    "place", ["model.name", "model.organization", "submitter.contact", "submitter.name"]
)
def test_texts(entry, text, place):
    edit(entry, place, TEXTS[text])
    refused(entry, f"model.{place}: ")


FIELDS = {
    "model.link": "javascript:alert(1)",
    "submitter.link": 'https://example.org/"onmouseover=alert(1)',
    "model.checkpoint": "../../../etc/passwd",
    "model.revision": "$(reboot)",
    "model.architecture": "a b;c",
    "model.precision": "<b>",
    "model.adapter": "Alm-HF",
    "model.sha256": "A" * 64,
    "compute.hardware": "<svg/onload=alert(1)>",
    "compute.device": "cuda\n",
    "training.note": "[x](javascript:alert(1))<",
    "corpus.release": "1.0\u202e",
    "variant": "../up",
    "strategy.name": "../sc",
    "evaluated": "yesterday",
    "submitter.date": "2026-13-45",
}


@pytest.mark.parametrize("place", FIELDS, ids=str)
def test_every_other_text_field(entry, place):
    edit(entry, place, FIELDS[place])
    refused(entry, f"model.{place}")


@pytest.mark.parametrize(
    "link",
    [
        "http://example.org",
        "https://user:password@example.org/",
        "https://example.org@evil.example/",
        "https://localhost/",
        "https://ex\u0430mple.org/",
        "https://example.org/<script>",
        "https://example.org/a b",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "//example.org",
        "https://example.org/\\evil.example",
        "https://example.org/" + "a" * 300,
    ],
)
def test_links(entry, link):
    edit(entry, "submitter.link", link)
    refused(entry, "model.submitter.link: ")


@pytest.mark.parametrize("where", ["software", "parsing.failures", "decoding", "strategy.fields"])
def test_keys_are_texts_too(entry, where):
    for key in ("<script>", "__proto__", "constructor\u202e", "A", "a" * 65):
        edit(entry, where, {key: 1 if where != "software" else "1"})
        refused(entry, f"model.{where}")


# --- JSON ----------------------------------------------------------------------------------------


def test_a_doubled_key(entry):
    text = (entry / SUBMISSION).read_text(encoding="utf-8")
    raw_json(entry, text.replace('"variant"', '"variant": null, "variant"', 1))
    refused(entry, "has the key 'variant' twice in one object")


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number(entry, word):
    text = json.dumps(content_of(entry) | {"fame": 7.25}).replace("7.25", word)
    raw_json(entry, text)
    refused(entry, f"holds {word}, which is no number of JSON")


@pytest.mark.parametrize(
    "number", ["1e999", "-1e999", "9" * 5000, "0." + "1" * 5000, "1" + "0" * 400]
)
def test_numbers_without_measure(entry, number):
    raw_json(entry, json.dumps(content_of(entry) | {"fame": 7.25}).replace("7.25", number))
    refused(entry, "which is too l")


@pytest.mark.parametrize("value", [10**30, -1, 2**53 + 1])
def test_counts_without_measure(entry, value):
    edit(entry, "parsing.draws", value)
    refused(entry, "model.parsing.draws: ")


def test_a_score_without_measure(entry):
    edit(entry, "scores.kl.value", 1e300)
    refused(entry, "model.scores.kl.value: input should be less than")


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting(entry, opening):
    raw_json(entry, opening * 50_000)
    refused(entry, SUBMISSION)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not JSON"),
        (b"null", SUBMISSION),
        (b"[]", SUBMISSION),
        (b'"text"', SUBMISSION),
        (b"\xff\xfe{}", "is not UTF-8"),
        (b"\xef\xbb\xbf{}", SUBMISSION),
        (b"{'a': 1}", "is not JSON"),
        (b"{}//", "is not JSON"),
        (b'{"kind": "model"}', "field required"),
        (b'{"kind": "\\ud800"}', SUBMISSION),
        (b"!!python/object/apply:os.system ['true']", "is not JSON"),
        (b"\x00" * 100, "is not JSON"),
    ],
)
def test_what_is_no_submission(entry, data, message):
    raw_json(entry, data)
    refused(entry, message)


def test_a_large_json(entry):
    raw_json(entry, b" " * (JSON_BYTES + 1))
    refused(entry, "but at most 262,144 are read")


def test_many_keys(entry):
    edit(entry, "software", {f"a{number}": "1" for number in range(1000)})
    refused(entry, "model.software: dictionary should have at most 32")


def test_many_points(entry):
    point = {"metric": "js", "draws": 1, "score": 0.5}
    edit(entry, "curve", [point] * 1000)
    refused(entry, "model.curve: list should have at most 256")


# --- files ---------------------------------------------------------------------------------------


def test_a_large_file(entry):
    with (entry / PREDICTIONS).open("wb") as file:  # sparse: it takes no disk
        file.truncate(100 * 2**20)
    refused(entry, "has 104,857,600 bytes, but at most 33,554,432 are read")


def bomb(size):
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    parts = [packer.compress(bytes(2**20)) for _ in range(size // 2**20)]
    return b"".join([*parts, packer.flush()])


def test_a_gzip_bomb_in_one_line(entry):
    put_table(entry, bomb(2**30))
    refused(entry, "line 1: has more than 8,192 bytes")


def test_a_gzip_bomb_of_many_lines(entry):
    header = rows_of(entry)[0].encode() + b"\n"
    row = b"a,1,1,0,0,1.0,0.0,0.0,0.0\n"
    put_table(entry, packed(header + row * 2_000_000), rows=60)
    refused(entry, "line 3: the utterance 'a' is there twice")


def test_a_gzip_bomb_of_answers(entry):
    line = b'{"id": "demo_001", "draws": []}\n'
    put_table(entry, packed(line * (UNPACKED_BYTES // len(line) + 10)), name=ANSWERS)
    refused(entry, "answers.jsonl.gz: line 1")


def test_a_gzip_in_a_gzip(entry):
    put_table(entry, packed(packed(bytes(10_000))))
    refused(entry, PREDICTIONS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[: len(data) // 2], "is cut off"),
        (lambda data: data + data, "goes on behind the end of its gzip"),
        (lambda data: data + bytes(1000), "goes on behind the end of its gzip"),
        (lambda data: b"PK\x03\x04" + data, "is not gzip, or damaged"),
        (lambda data: b"PAR1" + data + b"PAR1", "is not gzip, or damaged"),
        (lambda data: data[:-8] + b"\x00" * 8, "is not gzip, or damaged"),
        (lambda _: b"", "is cut off"),
    ],
)
def test_what_is_no_gzip(entry, change, message):
    put_table(entry, change((entry / PREDICTIONS).read_bytes()))
    refused(entry, message)


def test_gzip_with_a_file_name_is_never_written_anywhere(entry, tmp_path):
    path = tmp_path / "outer.gz"
    with gzip.GzipFile("../../../evil", "wb", fileobj=path.open("wb"), mtime=0) as file:
        file.write("".join(f"{line}\n" for line in rows_of(entry)).encode())
    put_table(entry, path.read_bytes())
    assert faults(entry) == []
    assert not list(tmp_path.parent.glob("**/evil"))


def test_a_million_utterances(entry):
    lines = (f"u{number:07},1,1,0,0,1.0,0.0,0.0,0.0" for number in range(1_000_000))
    data = "\n".join([rows_of(entry)[0], *lines, ""]).encode()
    put_table(entry, gzip.compress(data, compresslevel=1), rows=300_000)
    refused(entry, "line 300002: there are more than 300,000 utterances", traced=False)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs a right to make links")
@pytest.mark.parametrize("name", [SUBMISSION, PREDICTIONS, ANSWERS])
def test_a_symbolic_link_to_a_file(entry, tmp_path, name):
    (tmp_path / "elsewhere").write_bytes((entry / name).read_bytes())
    (entry / name).unlink()
    (entry / name).symlink_to(tmp_path / "elsewhere")
    refused(entry, "is a symbolic link; put the file itself there")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs a right to make links")
def test_symbolic_links_to_folders(entry, tmp_path):
    moved = tmp_path / "moved"
    entry.parent.rename(moved)
    entry.parent.symlink_to(moved)
    refused(entry, "'demo' is a symbolic link")
    board = entry.parents[2].parent
    found = [one for one in find_submissions(board) if isinstance(one, Finding)]
    assert ["is no folder, where all are" in str(one) for one in found] == [True]
    assert read_board(board).entries == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_that_nobody_writes_into(entry):
    (entry / PREDICTIONS).unlink()
    os.mkfifo(entry / PREDICTIONS)
    refused(entry, "is no plain file")


def test_a_folder_in_place_of_a_file(entry):
    (entry / PREDICTIONS).unlink()
    (entry / PREDICTIONS).mkdir()
    refused(entry, PREDICTIONS)


@pytest.mark.parametrize(
    "name", ["setup.py", "conftest.py", ".env", "index.html", "x.pkl", "a\u202eb"]
)
def test_files_that_nobody_asked_for(entry, name):
    (entry / name).write_text("print('hello')", encoding="utf-8")
    refused(entry, "is no file that submission.json speaks of")


@pytest.mark.parametrize("name", [SUBMISSION, PREDICTIONS, ANSWERS])
def test_a_missing_file(entry, name):
    (entry / name).unlink()
    refused(entry, "is missing")


def test_an_entry_in_another_place(entry):
    other = entry.parents[2] / "Qwen__Qwen2-Audio-7B-Instruct" / "demo"
    other.mkdir(parents=True)
    refused(
        entry.rename(other / "walmv"), "the folder belongs at Example-Lab__Scripted-1B/demo/walmv"
    )


def test_names_that_climb(entry):
    for name in ("..", "../..", "a/../../b", "/etc", "C:\\Windows", "~root", "CON/.."):
        edit(entry, "model.organization", name)
        refused(entry, "model.model.organization: ")


def test_files_beside_folders(own_board):
    (own_board / "submissions" / "index.html").write_text("<script>", encoding="utf-8")
    (own_board / "submissions" / "Example-Lab__Scripted-1B" / "notes.txt").write_text("a")
    board = read_board(own_board)
    assert len(board.refused) == 2
    assert len(board.entries) == 8


def test_a_submission_of_another_ones_name_in_other_case(own_board, entry):
    if (entry.parents[2] / "EXAMPLE-LAB__SCRIPTED-1B").exists():
        pytest.skip("the file system does not tell upper case from lower case")
    other = entry.parents[2] / "example-lab__Scripted-1B" / "demo"
    other.mkdir(parents=True)
    moved = entry.rename(other / "walmv")
    edit(moved, "model.organization", "example lab")
    assert faults(moved) == []
    moved.rename(entry)
    board = read_board(own_board)
    assert any("belongs at example-lab__Scripted-1B" in str(one) for one in board.refused)


def test_more_folders_than_anybody_has(tmp_path):
    for number in range(MAX_ENTRIES + 1):
        (tmp_path / "submissions" / f"a{number}").mkdir(parents=True)
    board = read_board(tmp_path)
    assert "has more than 5,000 folders" in str(board.refused[0])


# --- numbers in the table ------------------------------------------------------------------------


def cell(column, text):
    def change(lines):
        parts = lines[3].split(",")
        parts[column] = text
        return [*lines[:3], ",".join(parts), *lines[4:]]

    return change


@pytest.mark.parametrize(
    "text",
    [
        "nan", "NaN", "inf", "-inf", "Infinity", "1e999", "-0.1", "1.5", "1_0", "0x1", " 0.5",
        "\u0661", "\uff11", "", "+0.5", "1e-9999", "0." + "0" * 99, "True", "=1+1", "0.5\x00",
    ],
)  # fmt: skip
def test_probabilities(entry, text):
    change_rows(entry, cell(5, text))
    refused(entry, "predictions.csv.gz: line 4: ")


@pytest.mark.parametrize("text", ["-1", "1.0", "1e3", "99999999", "", "nan", "\u0664", "0"])
def test_draws(entry, text):
    change_rows(entry, cell(1, text))
    refused(entry, "predictions.csv.gz: line 4: ")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "../../x",
        "a\u202eb",
        "<b>",
        '"a"',
        "=cmd|'/c calc'!A0",
        "a" * 300,
        "\x1b[31m",
        "demo_00\u0663",
    ],
)
def test_names_of_utterances(entry, text):
    change_rows(entry, cell(0, text))
    refused(entry, "predictions.csv.gz: line 4: ")


def test_a_sum_that_is_not_one(entry):
    change_rows(entry, cell(5, "0.9999"))
    refused(entry, "line 4: the probabilities do not sum to 1")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff\xfe\n", "line 1: is not UTF-8"),
        (b"id", "line 1: breaks off"),
        (b"\r\r\r\n", "line 1: is "),
    ],
)
def test_what_is_no_table(entry, data, message):
    put_table(entry, packed(data))
    refused(entry, message)


# --- answers -------------------------------------------------------------------------------------


def replace_first(text):
    return lambda lines: [text, *lines[1:]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "demo_001", "id": "demo_002"}', "has the key 'id' twice"),
        ('{"id": "demo_001", "draws": [NaN]}', "holds NaN"),
        ('{"id": "demo_001", "draws": 1e999}', "too large"),
        ('{"id": "demo_001", "path": "/etc/passwd"}', "path: Extra inputs are not permitted"),
        ('{"id": "demo_009", "draws": []}', "is not of the utterance demo_001"),
        ('{"id": "demo_001"}', "the answers are not those of the strategy"),
        ('{"id": "demo_001", "draws": [], "verdicts": []}', "line 1: "),
        ("[" * 8000, "line 1: "),
        ("", "line 1: is not JSON"),
    ],
)
def test_lines_of_answers(entry, line, message):
    change_rows(entry, replace_first(line), ANSWERS)
    refused(entry, message)


def test_an_answer_without_end(entry):
    draws = [{"text": "{" * 20_001}]
    line = json.dumps({"id": "demo_001", "draws": draws, "verdicts": [None]})
    change_rows(entry, replace_first(line), ANSWERS)
    refused(entry, "draws.0.text: String should have at most 20000")


def test_answers_that_are_slow_to_read(entry):
    texts = ["{" * 20_000, '{"happy": ' * 2_000, "[1," * 6_000, "a:1\n" * 5_000]
    line = json.dumps(
        {"id": "demo_001", "draws": [{"text": text} for text in texts], "verdicts": [None] * 4}
    )
    change_rows(entry, replace_first(line), ANSWERS)
    refused(entry, "answers.jsonl.gz: line 1: the answers do not give the prediction")


def test_html_in_answers_stays_text(entry):
    """Answers are a model's own words; nothing shows them but who unpacks them."""
    assert TABLE_BYTES < UNPACKED_BYTES  # and both bound them

    def add(lines):
        first = json.loads(lines[0])
        first["draws"][0]["text"] += "<script>alert(1)</script>"
        return [json.dumps(first), *lines[1:]]

    change_rows(entry, add, ANSWERS)
    for one in faults(entry):
        assert "<script>" not in one
