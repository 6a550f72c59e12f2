"""The one task class: document -> request -> draws -> prediction -> scores.

The harness's runner drives it. `ambi_<corpus>_<strategy>.yaml` in the folder `tasks` is the data
that makes a task of it. This is the whole way of one utterance:

1. `download` turns the user's corpus into documents (paths, votes, soft labels; never samples).
2. `doc_to_text` renders the prompt; `construct_requests` puts prompt, decoding and a reference to
   the clip into one request, repeated as often as the strategy draws.
3. The model answers, in `generate_until` of its adapter.
4. `KeepEveryDraw` hands all draws on, where the harness's default would keep the first alone.
5. `process_results` reads the draws, lets the strategy combine them and scores the prediction.
"""

import copy
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import datasets
from lm_eval.api.filter import Filter
from lm_eval.api.instance import Instance
from lm_eval.api.metrics import mean
from lm_eval.api.task import Task
from lm_eval.config.task import TaskConfig
from lm_eval.filters import build_filter_ensemble

from ambi_tasks.audio import AudioArgument
from ambi_tasks.corpora import get_corpus
from ambi_tasks.corpora.corpus import all_corpora
from ambi_tasks.documents import Selection, select_documents
from ambi_tasks.errors import UserError
from ambi_tasks.metrics import Metric, all_metrics
from ambi_tasks.prediction import Candidate, Prediction, read_candidate
from ambi_tasks.prompts import load_prompt
from ambi_tasks.strategies import combine, get_strategy

_OWN_FIELDS = ("corpus", "strategy", "prompt")
_ANSWERED = "_answered"

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
        self._strategy: str = config["strategy"]
        self._prompt = load_prompt(config["prompt"])
        self._system_instruction: str | None = None
        self._metrics = all_metrics()
        get_strategy(self._strategy)
        host_fields = {
            key: value for key, value in config.items() if key not in (*_OWN_FIELDS, "class")
        }
        host_fields["repeats"] = _draws(self._metadata, host_fields["repeats"])
        # Not `super().__init__`: it passes the whole config as the name of the task. The harness's
        # own ConfigurableTask does without it as well; these are the attributes that it would set.
        self._config = TaskConfig(**copy.deepcopy(host_fields))
        self._filters = [build_filter_ensemble("none", [[KeepEveryDraw, None]])]
        self._instances: list[Instance] | None = None
        self.VERSION = self._metadata["version"]
        self.download()

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
        """Build the requests; `--system_instruction` becomes a system turn of each."""
        self._system_instruction = kwargs.get("system_instruction")
        super().build_all_requests(**kwargs)

    def fewshot_context(self, doc: Document, *args: Any, **kwargs: Any) -> str:
        """The prompt; adapters apply their model's chat template, since only they place audio."""
        del args, kwargs
        return self.doc_to_text(doc)

    def doc_to_text(self, doc: Document) -> str:
        """Render the prompt for a document."""
        return self._prompt.render(labels=doc["labels"])

    def doc_to_target(self, doc: Document) -> list[float]:
        """The soft label, (K,)."""
        soft_label: list[float] = doc["soft_label"]
        return soft_label

    def doc_to_audio(self, doc: Document) -> list[AudioArgument]:
        """The document's one clip, undecoded."""
        return [AudioArgument(doc["audio"])]

    def construct_requests(self, doc: Document, ctx: str, **kwargs: Any) -> Instance:
        """Make the request whose repeats are the strategy's draws."""
        attachments: dict[str, Any] = {"audio": self.doc_to_audio(doc)}
        if self._system_instruction:
            attachments["system"] = self._system_instruction
        decoding = copy.deepcopy(self.config.generation_kwargs)
        return Instance(
            request_type=self.OUTPUT_TYPE,
            doc=doc,
            arguments=(ctx, decoding, attachments),
            idx=0,
            metadata=kwargs["metadata"],
        )

    # --- draws -> scores ----------------------------------------------------------------------

    def process_results(self, doc: Document, results: Sequence[Sequence[str]]) -> dict[str, Any]:
        """Score one utterance.

        The runner logs `doc` right after this call; it is the only part of its sample log that
        keeps nested JSON and is no metric, so the prediction and the candidates are put there.

        Args:
            doc: The document.
            results: Draws per request; one request here.
        """
        # Where ranks differ in length, the runner repeats a request to fill up: that is no draw.
        draws = results[0][: self.config.repeats]
        labels = doc["labels"]
        candidates = [read_candidate(draw, labels) for draw in draws]
        prediction = combine(self._strategy, candidates, len(labels))
        doc["prediction"] = list(prediction.distribution)
        doc["answered"] = prediction.answered
        doc["candidates"] = [candidate.record() for candidate in candidates]
        return _scores(self._metrics, doc, prediction, candidates)

    def aggregation(self) -> dict[str, Callable[[list[Any]], Any]]:
        """Metric name -> how the utterances' values become the corpus's."""
        functions: dict[str, Callable[[list[Any]], Any]] = {}
        for metric in self._metrics.values():
            functions[metric.name] = mean
            if metric.needs == "distributions":
                functions[metric.name + _ANSWERED] = mean_of_answered
        return functions

    def higher_is_better(self) -> dict[str, bool]:
        """Metric name -> direction."""
        metrics = self._metrics
        return {
            name: metrics[name.removesuffix(_ANSWERED)].higher_is_better
            for name in self.aggregation()
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
            "strategy": self._strategy,
            "prompt": {
                "id": self._prompt.id,
                "version": self._prompt.version,
                "sha256": self._prompt.sha256,
            },
        }


def mean_of_answered(values: Sequence[float | None]) -> float | str:
    """Mean over the utterances that were answered; `N/A`, as the harness writes it, if none was.

    Args:
        values: One value per utterance, None where no draw could be read.
    """
    answered = [value for value in values if value is not None]
    return sum(answered) / len(answered) if answered else "N/A"


def _scores(
    metrics: Mapping[str, Metric],
    doc: Document,
    prediction: Prediction,
    candidates: Sequence[Candidate],
) -> dict[str, float | None]:
    truth, predicted = [doc["soft_label"]], [list(prediction.distribution)]
    read = sum(candidate.distribution is not None for candidate in candidates)
    scores: dict[str, float | None] = {}
    for metric in metrics.values():
        if metric.needs == "draws":
            scores[metric.name] = float(metric.function([read], [len(candidates)])[0])
            continue
        value = float(metric.function(truth, predicted)[0])
        scores[metric.name] = value
        scores[metric.name + _ANSWERED] = value if prediction.answered else None
    return scores


def _draws(metadata: Mapping[str, Any], default: int) -> int:
    draws = metadata.get("draws", default)
    if not isinstance(draws, int) or isinstance(draws, bool) or draws < 1:
        raise UserError(f"--metadata draws must be a whole number of at least 1, not {draws!r}.")
    return draws


def _check_names(metadata: Mapping[str, Any]) -> None:
    """Refuse a key that is all but one of ours.

    The harness puts `--model_args` among the metadata, so that other keys cannot all be refused.
    """
    corpora = all_corpora().values()
    known = {"draws", "missing_audio", "label_rule", "table"}
    known |= {f"{corpus.name}_root" for corpus in corpora}
    known |= {option for corpus in corpora for option in corpus.options}
    for name in sorted(set(metadata) - known):
        if near := difflib.get_close_matches(name, known, n=1, cutoff=0.75):
            raise UserError(f"--metadata has no '{name}'; did you mean '{near[0]}'?")
