"""The one task class: document -> requests -> evidence -> prediction -> scores.

The harness's runner drives it. `ambi_<corpus>_<strategy>.yaml` in the folder `tasks` is the data
that makes a task of it. This is the whole way of one utterance:

1. `download` turns the user's corpus into documents (paths, votes, soft labels; never samples).
2. `construct_requests` renders the prompt and asks for what the strategy needs: draws of an answer
   (`generate_until`), a verifier's verdicts on them (`verify`, see `verification.py`), or the
   labels' log-likelihoods (`loglikelihood`).
3. The model answers, in the method of its adapter that has the request's name.
4. `KeepEveryDraw` hands all draws on, where the harness's default would keep the first alone.
5. `process_results` writes the evidence into the document and scores it (`scoring.py`).
"""

import copy
import difflib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

import datasets
from lm_eval.api.filter import Filter
from lm_eval.api.instance import Instance
from lm_eval.api.metrics import mean
from lm_eval.api.task import Task
from lm_eval.config.task import TaskConfig
from lm_eval.filters import build_filter_ensemble

from ambi_tasks.audio import AudioArgument, silent_clip
from ambi_tasks.corpora import get_corpus
from ambi_tasks.corpora.corpus import all_corpora
from ambi_tasks.corpus_scores import RESAMPLES, SEED, corpus_aggregations
from ambi_tasks.documents import Selection, select_documents
from ambi_tasks.errors import UserError
from ambi_tasks.metrics import Metric
from ambi_tasks.metrics.registry import choose_options
from ambi_tasks.prediction import draw_record
from ambi_tasks.prompts import load_prompt, order_labels
from ambi_tasks.run_needs import DrawInstance, Need, RunNeeds
from ambi_tasks.scoring import ANSWERED, SPREAD, score_utterance
from ambi_tasks.strategies import StrategyFields, all_strategies, get_strategy
from ambi_tasks.strategies.fields import VerifiedFields
from ambi_tasks.verification import VerifyInstance, verdict_record, verifier_prompt

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

_OWN_FIELDS = ("corpus", "strategy")

Document = dict[str, Any]


class KeepEveryDraw(Filter):  # type: ignore[misc] # the harness is untyped
    """Hands on all draws of a request."""

    def apply(self, resps: Iterable[Sequence[str]], docs: Sequence[Document]) -> list[list[str]]:
        """Copy the lists of draws.

        Args:
            resps: Draws per request.
            docs: The requests' documents, unused.
        """
        del docs
        return [list(draws) for draws in resps]


class AmbiTask(Task):  # type: ignore[misc] # the harness is untyped
    """A corpus and a strategy, as a task of the harness."""

    MULTIMODAL = True
    OUTPUT_TYPE = "generate_until"

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Read the corpus and check the settings.

        Args:
            config: The task's YAML fields, with the run's `--metadata` under `metadata`.

        Raises:
            UserError: The corpus is not there, or a setting is wrong.
        """
        self._metadata: dict[str, Any] = dict(config.get("metadata") or {})
        _check_names(self._metadata)
        self._corpus = get_corpus(config["corpus"], self._metadata)
        self._values = dict(config["strategy"])
        self._strategy = get_strategy(self._values.pop("name"))
        default = self._strategy.settings(self._values)
        self._values |= {
            name: value for name, value in self._metadata.items() if name in self._values
        }
        self._settings = self._set_up(self._values)
        self._prompt = load_prompt(self._settings.prompt)
        chosen_metrics = choose_options(self._metadata.get("metrics", {}))
        self._system_instruction: str | None = None
        host_fields = {
            key: value for key, value in config.items() if key not in (*_OWN_FIELDS, "class")
        }
        host_fields["repeats"] = self._settings.pool
        host_fields["generation_kwargs"] |= _decoding(self._settings)
        if self._settings.mode != default.mode:
            host_fields["task_alias"] = f"{config['task']} (candidates={self._settings.mode})"
        # Not `super().__init__`: it passes the whole config as the name of the task. The harness's
        # own ConfigurableTask does without it as well; these are the attributes that it would set.
        self._config = TaskConfig(**copy.deepcopy(host_fields))
        self._filters = [build_filter_ensemble("none", [[KeepEveryDraw, None]])]
        self._instances: list[Instance] | None = None
        self._needs = RunNeeds.join()
        self.VERSION = self._metadata["version"]
        self.download()
        self._metrics = _fitting(chosen_metrics, self._selection.label_rule.classes)

    def _set_up(self, values: Mapping[str, Any]) -> StrategyFields:
        """Check the fields, and fill in what depends on the verifier's prompt."""
        settings: StrategyFields = self._strategy.settings(values)
        if not isinstance(settings, VerifiedFields):
            return settings
        prompt = verifier_prompt(settings)
        filled = {"verifier_prompt": prompt.id, "scale": settings.scale or prompt.scale}
        return settings.model_copy(update=filled)

    # --- the corpus ---------------------------------------------------------------------------

    def download(self, *args: Any, **kwargs: Any) -> None:
        """Read the user's corpus; nothing is fetched. The harness's arguments are not used."""
        del args, kwargs
        self._selection: Selection = select_documents(self._corpus, self._metadata)
        self.dataset = {"test": self._selection.documents}

    def has_training_docs(self) -> bool:
        """There are none."""
        return False

    def has_validation_docs(self) -> bool:
        """There are none."""
        return False

    def has_test_docs(self) -> bool:
        """All documents are test documents."""
        return True

    def test_docs(self) -> datasets.Dataset:
        """The documents, see `documents.Selection`."""
        return self._selection.documents

    # --- document -> request ------------------------------------------------------------------

    def build_all_requests(self, **kwargs: Any) -> None:
        """Build the requests, now that `--gen_kwargs` and `--num_fewshot` are known.

        `--system_instruction` becomes a system turn of each.

        Raises:
            UserError: One of them does not go with the strategy.
        """
        if self.config.num_fewshot:
            raise UserError(
                "--num_fewshot is not offered: these corpora have no held-out utterances, so that "
                "examples would show votes that are scored. Leave it out."
            )
        self._settings = self._with_gen_kwargs()
        self._system_instruction = kwargs.get("system_instruction")
        self._needs.state(self, self._need())
        super().build_all_requests(**kwargs)

    def _with_gen_kwargs(self) -> StrategyFields:
        """The fields, after `--gen_kwargs` had its say about the decoding."""
        given: dict[str, Any] = self.config.generation_kwargs
        for name, value in _decoding(self._settings).items():
            if name != "temperature" and given[name] != value:
                raise UserError(
                    f"--gen_kwargs {name}={given[name]!r} does not go with the strategy "
                    f"'{self._strategy.name}', which sets {name}={value!r}; choose another "
                    f"strategy, or its fields by --metadata (docs/strategies.md)."
                )
        if self._settings.mode != "sample":
            return self._settings
        return self._set_up(self._values | {"temperature": given["temperature"]})

    def fewshot_context(self, doc: Document, *args: Any, **kwargs: Any) -> str:
        """The prompt; adapters apply their model's chat template, since only they place audio."""
        del args, kwargs
        return self.doc_to_text(doc)

    def doc_to_text(self, doc: Document) -> str:
        """Render the prompt for a document."""
        return self._prompt.render(labels=order_labels(doc["labels"], self._settings.label_order))

    def doc_to_target(self, doc: Document) -> list[float]:
        """The soft label, (K,)."""
        soft_label: list[float] = doc["soft_label"]
        return soft_label

    def doc_to_audio(self, doc: Document) -> list[AudioArgument]:
        """The document's one clip, undecoded."""
        return [AudioArgument(doc["audio"])]

    def construct_requests(self, doc: Document, ctx: str, **kwargs: Any) -> list[Instance]:
        """Make the requests whose answers are the strategy's evidence."""
        settings, meta = self._settings, kwargs["metadata"]
        if settings.mode == "none":
            return self._read_out_requests(doc, ctx, meta)
        draws = DrawInstance(
            request_type="generate_until",
            doc=doc,
            arguments=(ctx, copy.deepcopy(self.config.generation_kwargs), self._attachments(doc)),
            idx=0,
            metadata=meta,
        )
        draws.needs = self._needs
        if not isinstance(settings, VerifiedFields):
            return [draws]
        return [draws, VerifyInstance(draws, ctx, {"audio": self.doc_to_audio(doc)}, settings)]

    def _need(self) -> Need | None:
        """What this task asks for that is asked after all draws."""
        settings = self._settings
        if settings.mode == "none":
            return "read_out"
        by_probability = isinstance(settings, VerifiedFields) and settings.score == "probability"
        return "verdict" if by_probability else None

    def _attachments(self, doc: Document) -> dict[str, Any]:
        attachments: dict[str, Any] = {"audio": self.doc_to_audio(doc)}
        if self._system_instruction:
            attachments["system"] = self._system_instruction
        if self._settings.needs_log_likelihood:
            attachments["needs_log_likelihood"] = True
        return attachments

    def _read_out_requests(self, doc: Document, ctx: str, meta: Any) -> list[Instance]:
        """The labels after the question, and the same after silence where that calibrates."""
        heard = [self._attachments(doc)]
        if getattr(self._settings, "calibration", "none") == "silence":
            heard.append(heard[0] | {"audio": [AudioArgument(silent_clip().mapping())]})
        asked = [(attachments, label) for attachments in heard for label in doc["labels"]]
        return [
            Instance(
                request_type="loglikelihood",
                doc=doc,
                arguments=(ctx, label, attachments),
                idx=number,
                metadata=(*meta[:2], 1),  # nothing is drawn, so nothing is repeated
            )
            for number, (attachments, label) in enumerate(asked)
        ]

    # --- evidence -> scores -------------------------------------------------------------------

    def process_results(self, doc: Document, results: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """Score one utterance.

        The runner logs `doc` right after this call; it is the only part of its sample log that
        keeps nested JSON and is no metric, so evidence and prediction are put there.

        Args:
            doc: The document.
            results: Responses per request, in the order of `construct_requests`.
        """
        doc["strategy"] = self._strategy_record()
        doc.update(self._evidence(doc, results))
        scored = score_utterance(doc, self._metrics)
        doc.update(scored.record())
        return scored.scores | dict.fromkeys(corpus_aggregations(self._metrics), scored.pair)

    def _evidence(self, doc: Document, results: Sequence[Sequence[Any]]) -> dict[str, Any]:
        if self._settings.mode == "none":
            found = [responses[0] for responses in results]
            values = [float(one[0]) for one in found]
            classes = len(doc["labels"])
            return {
                "read_out": {
                    "log_likelihoods": values[:classes],
                    "tokens": [getattr(one, "tokens", None) for one in found[:classes]],
                    "content_free": values[classes:],
                }
            }
        # Where ranks differ in length, the runner repeats a request to fill up: that is no draw.
        draws = [draw_record(draw) for draw in results[0][: self._settings.pool]]
        if not isinstance(self._settings, VerifiedFields):
            return {"draws": draws}
        return {"draws": draws, "verdicts": [verdict_record(one) for one in results[1][0]]}

    def aggregation(self) -> dict[str, Callable[[list[Any]], Any]]:
        """Metric name -> how the utterances' values become the corpus's."""
        functions: dict[str, Callable[[list[Any]], Any]] = {}
        for metric in self._metrics.values():
            if metric.level == "corpus":
                continue
            if metric.needs == "verdicts":
                if isinstance(self._settings, VerifiedFields):
                    functions[metric.name] = mean_of_answered
                continue
            functions[metric.name] = mean
            if metric.needs == "distributions":
                functions[metric.name + ANSWERED] = mean_of_answered
        functions |= corpus_aggregations(self._metrics)
        return functions | ({SPREAD: mean_of_answered} if functions else {})

    def higher_is_better(self) -> dict[str, bool]:
        """Metric name -> direction."""
        metrics = self._metrics
        return {
            name: metrics[of].higher_is_better
            for name in self.aggregation()
            if (of := name.removesuffix(ANSWERED)) in metrics  # spread and errors have none
        }

    def override_metric(self, metric_name: str) -> None:
        """Serve `--predict_only`: log draws and predictions, score nothing."""
        del metric_name
        self._metrics = {}

    # --- what the results say about the task --------------------------------------------------

    def dump_config(self) -> dict[str, Any]:
        """The settings, with everything that must agree for two results to be compared."""
        settings: dict[str, Any] = super().dump_config()
        return settings | {
            "corpus": {
                "name": self._corpus.name,
                "licence": self._corpus.licence,
                "release": self._selection.release,
                "options": self._selection.options,
                "utterances": self._selection.counts,
                "manifest_sha256": self._selection.manifest_sha256,
                "label_rule": asdict(self._selection.label_rule),
            },
            "strategy": self._strategy_record(),
            "prompt": self._prompt.record(),
            **self._verifier_record(),
            "metrics": {name: metric.options for name, metric in self._metrics.items()},
            "corpus_errors": {"clusters": "speaker", "resamples": RESAMPLES, "seed": SEED},
            "metric_list": [{"metric": name} for name in self.aggregation()],  # wandb's table
        }

    def _strategy_record(self) -> dict[str, Any]:
        return {"name": self._strategy.name, **self._settings.model_dump(mode="json")}

    def _verifier_record(self) -> dict[str, Any]:
        if not isinstance(self._settings, VerifiedFields):
            return {}
        return {"verifier_prompt": verifier_prompt(self._settings).record()}


def mean_of_answered(values: Sequence[float | None]) -> float | str:
    """Mean over the utterances that were answered; `N/A`, as the harness writes it, if none was.

    Args:
        values: One value per utterance, None where no draw could be read.
    """
    answered = [value for value in values if value is not None]
    return sum(answered) / len(answered) if answered else "N/A"


def _fitting(metrics: Mapping[str, Metric], labels: Sequence[str]) -> dict[str, Metric]:
    """The metrics that can be computed for these labels; the others are named."""
    reasons = {name: metric.misfit(labels) for name, metric in metrics.items()}
    for name, reason in reasons.items():
        if reason:
            _say_once(f"The metric '{name}' is left out. {reason}")
    return {name: metric for name, metric in metrics.items() if not reasons[name]}


@cache
def _say_once(sentence: str) -> None:
    """Log what all tasks of a corpus would repeat."""
    _log.warning(sentence)


def _decoding(settings: StrategyFields) -> dict[str, Any]:
    """What the strategy's fields say about the decoding, in the harness's words."""
    if settings.mode == "sample":
        return {
            "do_sample": True,
            "num_beams": 1,
            "temperature": settings.model_dump()["temperature"],
        }
    beams = settings.pool if settings.mode == "beam" else 1
    return {"do_sample": False, "num_beams": beams}


def _check_names(metadata: Mapping[str, Any]) -> None:
    """Refuse a key that is all but one of ours.

    The harness puts `--model_args` among the metadata, so that other keys cannot all be refused.
    """
    corpora = all_corpora().values()
    known = {"missing_audio", "label_rule", "table", "metrics"}
    known |= {name for one in all_strategies().values() for name in one.fields.model_fields}
    known |= {f"{corpus.name}_root" for corpus in corpora}
    known |= {option for corpus in corpora for option in corpus.options}
    for name in sorted(set(metadata) - known):
        if near := difflib.get_close_matches(name, known, n=1, cutoff=0.75):
            raise UserError(f"--metadata has no '{name}'; did you mean '{near[0]}'?")
