"""The conformance suite, as pytest runs it on the adapter that `--adapter` names."""

import importlib

import pytest
from lm_eval.utils import simple_parse_args_string

from ambi_tasks.errors import UserError
from model_adapters.backend import Backend
from model_adapters.conformance import drawing, hearing, identity, scoring
from model_adapters.conformance.check import CHECKS
from model_adapters.conformance.subject import Subject
from model_adapters.registry import get_adapter

MODULES = (identity, drawing, scoring, hearing)


@pytest.fixture(scope="session")
def subject(request: pytest.FixtureRequest) -> Subject:
    """The adapter under test."""
    name = request.config.getoption("--adapter", None)
    if not name:
        pytest.exit("Name the adapter to test: --adapter NAME, or --adapter module:Class.", 4)
    arguments = simple_parse_args_string(request.config.getoption("--model-args"))
    try:
        return Subject(name.rpartition(":")[2], find_adapter(name), arguments)
    except UserError as error:
        pytest.exit(str(error), 4)


def find_adapter(name: str) -> type[Backend]:
    """Look an adapter up by its name, or import it as `module:Class`.

    Raises:
        UserError: There is none.
    """
    module, colon, kind = name.partition(":")
    if not colon:
        return get_adapter(name)
    try:
        found = getattr(importlib.import_module(module), kind)
    except (ImportError, AttributeError) as error:
        raise UserError(f"--adapter {name} cannot be imported ({error}).") from error
    if not (isinstance(found, type) and issubclass(found, Backend)):
        raise UserError(f"--adapter {name} is no subclass of Backend.")
    return found


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_conforms(name: str, subject: Subject) -> None:
    """One check; what an adapter does not claim is skipped."""
    one = CHECKS[name]
    if not one.applies(subject.backend.capabilities):
        pytest.skip("not a matter of what this adapter claims to do")
    one.run(subject)
