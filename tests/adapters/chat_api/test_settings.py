"""`--model_args` of `alm_api`."""

import inspect
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from ambi_tasks.errors import UserError
from model_adapters.chat_api import ChatApiBackend
from model_adapters.chat_api.providers import OFFERS, PROVIDERS
from model_adapters.harness import model_class

PAGE = (Path(__file__).parents[3] / "docs" / "scaling.md").read_text(encoding="utf-8")


def make(**settings: Any) -> ChatApiBackend:
    return ChatApiBackend(**({"model": "m", "provider": "vllm"} | settings))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": None}, r"name a model, such as --model_args model=gpt-audio"),
        ({"provider": "opnai"}, "there is no 'opnai'; did you mean 'openai'"),
        ({"provider": "azure"}, "A server that is none of them is 'compatible'"),
        ({"provider": "compatible"}, "provider=compatible needs base_url"),
        ({"base_url": "localhost:8000"}, "base_url is one URL such as"),
        ({"base_url": "http://a/v1;ftp://b"}, "base_url is one URL such as"),
        ({"base_url": "http://a/v1;http://a/v1/"}, "names http://a/v1 more than once"),
        ({"offers": "n;sed"}, "offers: there is no 'sed'; did you mean 'seed'"),
        ({"num_concurrent": 0}, "num_concurrent must be a whole number of at least 1, not 0"),
        ({"num_concurrent": 2.5}, "num_concurrent must be a whole number"),
        ({"num_concurrent": float("inf")}, "num_concurrent must be a whole number"),
        ({"max_retries": True}, "max_retries must be a whole number of at least 0, not True"),
        ({"max_requests": "many"}, "max_requests must be a whole number of at least 0, not 'many'"),
        ({"timeout": 0}, "timeout must be a number above 0, not 0"),
        ({"max_seconds": -1}, "max_seconds must be a number above 0"),
        ({"provider": "openai"}, "put it into the environment variable OPENAI_API_KEY"),
        ({"provider": "gemini"}, "put it into the environment variable GEMINI_API_KEY"),
    ],
)
def test_wrong_values_end_in_a_sentence(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make(**settings)


@pytest.mark.parametrize(
    "url", ["http://me:sk-1@host/v1", "http://host/v1?key=sk-1", "http://sk-1@host/v1"]
)
def test_a_key_in_a_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(UserError, match="base_url holds a name, a password or a query") as caught:
        make(base_url=url)
    assert "sk-1" not in str(caught.value)


def test_a_key_with_strange_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "sk-\nsecret")
    with pytest.raises(UserError, match="VLLM_API_KEY holds characters that are in no key") as bad:
        make()
    assert "secret" not in str(bad.value)
    monkeypatch.setenv("VLLM_API_KEY", " sk-1\n")
    assert make()._settings.key == "sk-1"


def test_openais_key_goes_to_no_other_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    chat = ChatApiBackend(model="m", base_url="http://somewhere/v1")
    assert chat.describe()["provider"] == "compatible"
    assert chat._settings.key is None


def test_several_endpoints() -> None:
    expected = ["http://a/v1", "https://b:8000/v1"]
    for text in ("http://a/v1;https://b:8000/v1/", "http://a/v1|https://b:8000/v1"):
        assert make(base_url=text).describe()["endpoints"] == expected


def test_capabilities_follow_from_what_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    vllm, openai = make().capabilities, make(provider="openai").capabilities
    assert (vllm.beams, vllm.draw_log_likelihood, vllm.log_likelihood) == (True, True, True)
    assert (openai.beams, openai.draw_log_likelihood, openai.log_likelihood) == (False,) * 3
    some = make(offers="logprobs").capabilities
    assert (some.beams, some.draw_log_likelihood, some.log_likelihood) == (False, True, True)


def test_the_fingerprint_is_the_question_not_the_endpoint() -> None:
    one = make().fingerprint()
    same = make(base_url="http://a/v1;http://b/v1", num_concurrent=3, max_requests=9)
    assert one == same.fingerprint()
    others = [make(model="n"), make(reasoning_effort="low"), make(offers="n;seed")]
    others += [make(provider="compatible", base_url="http://a/v1")]
    assert len({one, *(other.fingerprint() for other in others)}) == 5


def test_a_model_that_was_shut_down_is_told_of(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("lm_eval"), "propagate", True)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    with caplog.at_level("WARNING", logger="lm_eval"):
        make(provider="openai", model="gpt-4o-audio-preview-2024-12-17")
    assert "for 2026-05-07; its successor is gpt-audio-1.5" in caplog.text


def test_the_harness_makes_it() -> None:
    text = "model=Qwen/Qwen2.5-Omni-7B,base_url=http://localhost:8000/v1,provider=vllm"
    options = {"batch_size": 1, "device": "cuda:0", "max_batch_size": None}
    model = model_class("alm_api").create_from_arg_string(text, options)
    assert model.backend.model_name == "Qwen/Qwen2.5-Omni-7B"
    with pytest.raises(UserError, match="alm_api has no model_args 'api_key'") as caught:
        model_class("alm_api")(model="m", api_key="sk-1")
    assert "sk-1" not in str(caught.value)


# --- the guide -----------------------------------------------------------------------------------


def test_the_guide_has_the_providers_as_they_are() -> None:
    header, _, *rows = re.findall(r"^\|.*\|$", PAGE.split("## What a provider")[1], re.MULTILINE)
    columns = [cell.strip(" `") for cell in header.strip("|").split("|")]
    assert set(columns[2:]) == set(OFFERS)
    found = {}
    for row in rows[: len(PROVIDERS)]:
        name, key, *offered = (cell.strip() for cell in row.strip("|").split("|"))
        offers = {column for column, cell in zip(columns[2:], offered, strict=True) if cell}
        found[name.strip("`")] = (key.split("`")[1], "if the server" not in key, offers)
    assert found == {
        name: (one.key_variable, one.key_needed, set(one.offers)) for name, one in PROVIDERS.items()
    }


def test_the_guide_names_every_setting_and_its_default() -> None:
    table = PAGE.split("## Settings")[1]
    for name, parameter in inspect.signature(ChatApiBackend).parameters.items():
        if name in ("batch_size", "max_batch_size", "device"):
            continue
        (said,) = re.findall(rf"^\|[^|\n]*`{name}`[^|\n]*\|([^|\n]*)\|.*\|$", table, re.MULTILINE)
        default = parameter.default
        if default is not None:
            shown = str(default) if isinstance(default, bool) else f"{default:g}"
            assert said.strip() == shown
