"""The options of pytest by which the conformance suite is told which adapter it tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--adapter` and `--model-args`."""
    group = parser.getgroup("ambi_tasks adapters")
    group.addoption(
        "--adapter",
        metavar="NAME",
        help="with --pyargs model_adapters.conformance: the adapter to test, by the name that "
        "follows --model, or as module:Class",
    )
    group.addoption(
        "--model-args",
        metavar="ARGS",
        default="",
        help="its arguments, as for lm_eval --model_args",
    )
