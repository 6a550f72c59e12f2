"""Every fault that a server may have."""

import time
import traceback

import pytest

from ambi_tasks.audio import Clip
from ambi_tasks.errors import UserError
from ambi_tasks.prediction import draw_record, read_draw
from model_adapters.backend import Decoding
from model_adapters.chat_api import ChatApiBackend
from model_adapters.chat_api.faults import wait_asked
from model_adapters.draws import Draw
from tests.adapters.chat_api.conftest import backend, draw, order
from tests.adapters.chat_api.server import ANSWERS, KEY, MODEL, ChatServer

GREEDY = Decoding(max_new_tokens=64)
LABELS = ["neutral", "happy", "angry", "sad"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("429", "rate_limit"),
        ("500", "status_500"),
        ("502", "status_502"),
        ("503", "status_503"),
        ("408", "status_408"),
        ("cut", "connection"),
        ("truncated", "malformed"),
        ("html", "malformed"),
        ("list", "malformed"),
        ("odd_choices", "malformed"),
        ("no_choices", "no_choices"),
        ("null_choices", "no_choices"),
        ("aborted", "aborted"),
    ],
)
def test_what_may_pass_is_tried_again(
    server: ChatServer, clip: Clip, fault: str, reason: str
) -> None:
    server.behaviour.faults = [fault, fault]
    chat = backend(server)
    assert draw(chat, order(clip, (0,), GREEDY))[0, 0].text == ANSWERS[0]
    described = chat.describe()
    assert described["retries"] == {reason: 2}
    assert described["requests"] == 3


def test_a_request_that_takes_too_long_is_tried_again(server: ChatServer, clip: Clip) -> None:
    server.behaviour.faults = ["hang"]
    chat = backend(server, timeout=1.5)
    assert draw(chat, order(clip, (0,), GREEDY))[0, 0].text == ANSWERS[0]
    assert chat.describe()["retries"] == {"timeout": 1}


def test_retry_after_is_waited_by_all(server: ChatServer, clip: Clip) -> None:
    server.behaviour.faults = ["429"]
    server.behaviour.retry_after = "0.5"
    chat = backend(server, offers="seed", num_concurrent=4)
    draw(chat, order(clip, tuple(range(12))))
    pauses = [b - a for a, b in zip(server.times, server.times[1:], strict=False)]
    assert max(pauses) > 0.3
    late = [one for one in server.times if one - server.times[0] > 0.4]
    assert len(late) >= 9  # whoever was not on the way yet did wait


def test_the_forms_of_retry_after() -> None:
    assert wait_asked({"retry-after-ms": "250"}) == 0.25
    assert wait_asked({"retry-after": "3"}) == 3.0
    assert wait_asked({"retry-after": "soon"}) is None
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 30))
    found = wait_asked({"retry-after": date})
    assert found is not None
    assert 25 < found <= 30
    assert wait_asked({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert wait_asked({}, '[{"error": {"details": [{"retryDelay": "7s"}]}}]') == 7.0


def test_a_pause_of_an_hour_ends_the_run(server: ChatServer, clip: Clip) -> None:
    server.behaviour.faults = ["429"]
    server.behaviour.retry_after = "3600"
    with pytest.raises(UserError, match=r"asks for a pause of 3\d\d\d s.*repeat the command"):
        draw(backend(server), order(clip))


@pytest.mark.parametrize("fault", ["503", "cut", "truncated", "429"])
def test_what_does_not_pass_ends_in_a_sentence(server: ChatServer, clip: Clip, fault: str) -> None:
    server.behaviour.always = fault
    server.behaviour.retry_after = "0.01"
    chat = backend(server, max_retries=2)
    with pytest.raises(UserError, match=r"answered no attempt .* repeat the command to go on"):
        draw(chat, order(clip))
    assert len(server.bodies) == 3


def test_what_was_under_way_is_handed_over_before_the_run_ends(
    server: ChatServer, clip: Clip
) -> None:
    server.behaviour.faults = [None, "503", None, None] + ["503"] * 200
    server.behaviour.latency = 0.02
    chat = backend(server, offers="seed", num_concurrent=4, max_retries=0)
    found = []
    draws = chat.draw([order(clip, tuple(range(40)))])
    with pytest.raises(UserError, match="status_503"):
        found.extend(draws)
    assert len(found) == 3


def test_a_server_that_is_not_there_is_told_of_soon(clip: Clip) -> None:
    absent = ChatServer()
    absent._socket.close()
    chat = backend(absent)
    with pytest.raises(UserError, match=r"the last fault was: connection \(Connect"):
        draw(chat, order(clip))
    assert chat.describe()["requests"] == 3


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no_credit", "has no credit left"),
        ("bad_audio", r"does not take the request .* \(status 400\): The audio is too short"),
        ("forbidden", r"does not let the key in VLLM_API_KEY do this: The key \[key\] may not"),
        ("google_key", "does not accept the key in VLLM_API_KEY"),
        ("413", "status 413"),
    ],
)
def test_what_no_attempt_mends_ends_at_once(
    server: ChatServer, clip: Clip, fault: str, message: str
) -> None:
    server.behaviour.always = fault
    with pytest.raises(UserError, match=message) as caught:
        draw(backend(server), order(clip))
    assert len(server.bodies) == 1
    assert KEY not in shown(caught.value)


def test_a_wrong_model_and_a_wrong_key(server: ChatServer, clip: Clip) -> None:
    with pytest.raises(UserError, match=r"has no model 'tiny-audoi' .*does not exist"):
        draw(backend(server, model="tiny-audoi"), order(clip))
    server.behaviour.key = "another"
    with pytest.raises(UserError, match="does not accept the key in VLLM_API_KEY") as caught:
        draw(backend(server), order(clip))
    assert KEY not in shown(caught.value)
    assert len(server.bodies) == 2


def shown(error: BaseException) -> str:
    """All that could be printed of an exception, and of those behind it."""
    texts = ["".join(traceback.format_exception(error))]
    behind: BaseException | None = error
    while behind is not None:
        texts.append(repr(behind) + str(behind) + repr(vars(behind)))
        behind = behind.__context__ or behind.__cause__
    return "".join(texts)


# --- answers that are withheld, refused or empty -------------------------------------------------


def failure(chat: ChatApiBackend, clip: Clip) -> str | None:
    answer = draw(chat, order(clip, (0,), GREEDY))[0, 0]
    text = Draw(answer.text, finish_reason=answer.finish_reason)
    return read_draw(draw_record(text), LABELS).failure


@pytest.mark.parametrize(
    ("fault", "name", "counted"),
    [
        ("filter_400", "withheld", "refusals"),
        ("filter_choice", "withheld", "refusals"),
        ("refusal", "refusal", None),
        ("no_choices", "empty", "empty_answers"),
        ("no_content", "empty", "empty_answers"),
    ],
)
def test_an_answer_that_is_not_given_is_a_named_failure(
    server: ChatServer, clip: Clip, fault: str, name: str, counted: str | None
) -> None:
    server.behaviour.always = fault
    chat = backend(server)
    assert failure(chat, clip) == name
    described = chat.describe()
    for kind in ("refusals", "empty_answers"):
        assert described[kind] == int(kind == counted)
    assert bool(chat._record.warnings()) == (counted is not None)


def test_a_filter_rejects_all_draws_of_a_request(server: ChatServer, clip: Clip) -> None:
    server.behaviour.faults = ["filter_400"]
    chat = backend(server)
    found = draw(chat, order(clip), order(clip, key="other"))
    assert sum(one.finish_reason == "content_filter" for one in found.values()) == 4
    assert chat.describe()["refusals"] == 4


def test_a_filter_withholds_one_of_several(server: ChatServer, clip: Clip) -> None:
    server.behaviour.always = "filter_choice"
    found = draw(backend(server), order(clip))
    assert [found[0, index].finish_reason for index in range(4)] == [
        *("content_filter", "stop", "stop", "stop")
    ]
    assert found[0, 0].text == ""


def test_a_server_that_does_not_count_tokens(server: ChatServer, clip: Clip) -> None:
    server.behaviour.always = "no_usage"
    chat = backend(server, "compatible")
    assert draw(chat, order(clip, (0,), GREEDY))[0, 0].tokens is None
    assert chat.describe()["output_tokens"] == 0


# --- several endpoints ---------------------------------------------------------------------------


def test_endpoints_share_the_load(clips: list[Clip]) -> None:
    with ChatServer() as one, ChatServer() as other:
        for server in (one, other):
            server.behaviour.latency = 0.02
        chat = backend(one, base_url=f"{one.url};{other.url}/", num_concurrent=2)
        orders = [order(clip, key=f"{clip}{n}", text=f"{n}") for clip in clips for n in range(4)]
        draw(chat, *orders)
        assert len(one.bodies) + len(other.bodies) == 12
        assert one.bodies
        assert other.bodies
        assert chat.describe()["endpoints"] == [one.url, other.url]


@pytest.mark.parametrize("how", ["gone", "broken"])
def test_a_dead_endpoint_is_taken_out(clip: Clip, how: str) -> None:
    with ChatServer() as alive, ChatServer() as dying:
        if how == "gone":
            dying.stop()
            dying._thread.join(5)
            dying._socket.close()
        else:
            dying.behaviour.always = "500"
        chat = backend(alive, base_url=f"{dying.url}|{alive.url}", offers="seed", max_retries=20)
        draw(chat, order(clip, tuple(range(60))))
        described = chat.describe()
        assert described["endpoints_taken_out"] == [dying.url]
        assert described["answered_by"] == {f"{MODEL}-2026-01-01": 60}
        again = len(dying.bodies)
        draw(chat, order(clip, tuple(range(60, 70))))
        assert len(dying.bodies) == again


def test_the_last_endpoint_is_never_taken_out(clip: Clip) -> None:
    with ChatServer() as one, ChatServer() as other:
        one.behaviour.always = other.behaviour.always = "500"
        chat = backend(one, base_url=f"{one.url};{other.url}", max_retries=20)
        with pytest.raises(UserError, match="answered no attempt"):
            draw(chat, order(clip, (0,), GREEDY))
        assert len(chat.describe()["endpoints_taken_out"]) == 1
