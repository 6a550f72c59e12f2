"""The best and the worst utterances."""

import base64
import io
import json

import numpy as np
import pytest
import soundfile

from ambi_tasks.metrics import get_metric
from ambi_tasks.report.extremes import extremes
from ambi_tasks.report.logged_run import read_run
from ambi_tasks.report.sample_log import find_logs
from tests.report.builders import draw, fields, line, record, write_run

TASK = "ambi_demo_sc"
JS, BC = get_metric("js"), get_metric("bc")


def a_run(folder, count=30, audio=None):
    """Utterance n is predicted worse the larger n is; some are equal."""
    lines = []
    for number in range(count):
        share = 1 - (number // 2) / count
        draws = [draw([share, 1 - share, 0.0]), draw("no idea")]
        made = record(f"u{number:02d}", [1, 0, 0], fields("sc"), draws=draws)
        more = {"speaker": "s", "votes": [4.0, 0.0, 0.0], "annotators": 4, "entropy": 0.0}
        lines.append(line({**made, **more, **({"audio": audio} if audio else {})}))
    (log,) = find_logs(write_run(folder, {TASK: lines})).tasks
    return read_run(log)


def test_ends_by_hand(tmp_path):
    found = extremes(a_run(tmp_path), JS, audio="none")
    assert [one.id for one in found.best] == [f"u{n:02d}" for n in range(10)]
    assert [one.id for one in found.worst] == [f"u{n}" for n in range(29, 19, -1)]
    assert found.metric == "js"
    best = found.best[0]
    assert best.score == 0.0
    assert best.votes == {"neutral": 4.0, "happy": 0.0, "angry": 0.0}
    assert best.prediction["neutral"] == 1.0
    assert [one.failure for one in best.answers] == [None, "no_object"]
    assert [one.weight for one in best.answers] == [1.0, 0.0]
    assert best.answers[1].text == "no idea"
    assert (best.annotators, best.speaker, best.sound) == (4, "s", None)


def test_a_metric_of_the_other_direction(tmp_path):
    run = a_run(tmp_path)
    assert [one.id for one in extremes(run, BC, audio="none").best] == [
        one.id for one in extremes(run, JS, audio="none").best
    ]


@pytest.mark.parametrize("count", [1, 2, 5, 19, 20, 21])
def test_no_utterance_is_both(tmp_path, count):
    found = extremes(a_run(tmp_path, count), JS, audio="none")
    names = [one.id for one in (*found.best, *found.worst)]
    assert len(names) == len(set(names)) == min(count, 20)


def tone(path, seconds=1.0):
    soundfile.write(path, np.sin(np.arange(int(16000 * seconds)) / 20) * 0.3, 16000)
    return path


def test_a_link_to_the_users_file(tmp_path):
    path = tone(tmp_path / "a clip & co.wav")
    run = a_run(tmp_path / "r", 2, {"path": str(path), "start": None, "end": None})
    assert extremes(run, JS, audio="link").best[0].sound == path.resolve().as_uri()
    assert "%20" in path.as_uri()
    path.unlink()
    assert extremes(run, JS, audio="link").best[0].sound is None
    assert extremes(run, JS, audio="embed").best[0].sound is None


def test_a_stretch_of_a_file(tmp_path):
    path = tone(tmp_path / "long.wav", 2.0)
    run = a_run(tmp_path / "r", 2, {"path": str(path), "start": 0.5, "end": 1.25})
    assert extremes(run, JS, audio="link").best[0].sound.endswith("long.wav#t=0.5,1.25")
    sound = extremes(run, JS, audio="embed").best[0].sound
    head, _, content = sound.partition(",")
    assert head == "data:audio/wav;base64"
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(content)))
    assert (rate, len(samples)) == (16000, 12000)


def test_no_player_where_none_is_wanted_or_the_clip_is_damaged(tmp_path):
    path = tone(tmp_path / "clip.wav")
    run = a_run(tmp_path / "r", 2, {"path": str(path), "start": None, "end": None})
    assert extremes(run, JS, audio="none").best[0].sound is None
    path.write_bytes(b"RIFF nonsense")
    assert extremes(run, JS, audio="embed").best[0].sound is None


@pytest.mark.parametrize("audio", ["link", "embed"])
@pytest.mark.parametrize(
    "reference",
    [
        "clip.wav",
        {"path": 5},
        {"path": "x" * 5000},
        {"path": "a\0b"},
        {"path": __file__, "start": "soon"},
    ],
    ids=["text", "number", "long", "nul", "start"],
)
def test_what_is_no_clip_has_no_player(tmp_path, reference, audio):
    assert extremes(a_run(tmp_path, 2, reference), JS, audio=audio).best[0].sound is None


def test_a_read_out_has_no_words(harness_run):
    log = next(one for one in find_logs(harness_run).tasks if one.task.endswith("tlr"))
    found = extremes(read_run(log), JS, audio="none")
    (answer,) = found.best[0].answers
    assert answer.text is None
    assert answer.weight == 1.0
    json.dumps(found.best[0].prediction)
