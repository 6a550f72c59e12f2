"""Tables: every way in which one can be broken is said with file and line."""

import pytest

from ambi_tasks.corpora.csv_table import header, rows
from ambi_tasks.errors import UserError
from tests.corpora.builders import LFS_STUB


@pytest.fixture
def read(tmp_path):
    def read_bytes(content):
        path = tmp_path / "table.csv"
        path.write_bytes(content)
        return [(where.removeprefix(f"{path}:"), row) for where, row in rows(path, ["", "name"])]

    return read_bytes


def test_reads_rows_with_their_lines(read):
    assert read(b'"","name"\n"1","a, b"\n"2",c\n') == [
        ("2", {"": "1", "name": "a, b"}),
        ("3", {"": "2", "name": "c"}),
    ]


def test_line_ends_byte_order_mark_and_last_line(read):
    plain = read(b",name\n1,a\n2,b\n")
    assert read(b",name\r\n1,a\r\n2,b\r\n") == plain
    assert read(b"\xef\xbb\xbf,name\n1,a\n2,b\n") == plain
    assert read(b",name\n1,a\n2,b") == plain


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r":1: the header lacks the column\(s\) '' \(the unnamed one\), name\."),
        (b"key,name\n1,a\n", r":1: the header lacks the column\(s\) '' \(the unnamed one\)\."),
        (b",nom\n1,a\n", r":1: the header lacks the column\(s\) name\."),
        (b",name,name\n1,a,b\n", r":1: the header has the column\(s\) name twice\."),
        (b",name\n1,a\n2\n", ":3: the row is not as long as the header"),
        (b",name,optional\n1,a\n", ":2: the row is not as long as the header"),
        (b",name\n1,a\n2,b,c\n", ":3: the row is not as long as the header"),
        (b",name\n1,a\n2,\n", ":3: no value for name"),
        (b",name\n , a\n", r":2: no value for '' \(the unnamed one\)\."),
        (b",name\n1,caf\xe9\n", ": not UTF-8 text .*0xe9.*restore the original file"),
        # Without this refusal, everything up to the end of the file would be one value.
        (b',name\n1,a\n2,"b\n3,c\n', ":3: the row that starts here is not CSV"),
    ],
)
def test_broken_tables(read, content, message):
    with pytest.raises(UserError, match=rf"table\.csv{message}"):
        read(content)


def test_columns_that_may_be_empty_must_be_there(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("key,name\n1,\n")
    ((_, row),) = rows(path, ["key"], may_be_empty=["name"])
    assert row == {"key": "1", "name": ""}
    with pytest.raises(UserError, match=r"lacks the column\(s\) other"):
        list(rows(path, ["key"], may_be_empty=["other"]))


def test_bytes_of_free_text_may_be_replaced(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"key,name\n1,caf\xe9\n")
    ((_, row),) = rows(path, ["key"], undecodable="replace")
    assert row["name"] == "caf\ufffd"


def test_the_header_alone(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"\xef\xbb\xbfkey,name\r\n1\r\n")
    assert header(path) == ["key", "name"]
    with pytest.raises(UserError, match=r"absent\.csv: the file is missing"):
        header(tmp_path / "absent.csv")


def test_a_git_lfs_stub(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(LFS_STUB)
    with pytest.raises(UserError, match=r"table\.csv: a Git LFS stub, not a table; run `git lfs"):
        list(rows(path, ["key"]))


def test_a_missing_table(tmp_path):
    with pytest.raises(UserError, match=r"absent\.csv: the file is missing\."):
        list(rows(tmp_path / "absent.csv", []))
