"""Other methods on the labels of few_labels.py, which a method of this package has to beat.

Each gets the labels, dev and pool that the methods of this package get. Flags of every peer but `keyword_rule` have
thresholds: the quantile of a flag's scores on the pool that gives the flag its share among the labels. Test chooses
nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from cell_data import Cell, CellData
from crf import crf
from keyword_peer import RULES, keyword_rule
from linear_peers import Predict, frozen_states, tfidf
from tool_peers import setfit, spacy

from electra_ie.data.fields import Field

LINEAR, TOOLS = "benchmarks/linear_peers.py", "benchmarks/tool_peers.py"


@dataclass(frozen=True)
class Peer:
    """A method: how it is fitted, the kinds of fields it predicts, the module it needs, and the data sets it is for.

    fit: returns a function from texts to answers. module: of an optional package. data_sets: empty for all.
    packages: whose versions a result names. sources: the files whose code its results depend on.
    present_sources: files that matter only for the present data of a task.
    """

    fit: Callable[[Field, CellData], Predict]
    kinds: tuple[str, ...]
    module: str = "sklearn"
    packages: tuple[str, ...] = ("scikit-learn",)
    data_sets: tuple[str, ...] = ()
    sources: tuple[str, ...] = (LINEAR,)
    present_sources: tuple[str, ...] = ()

    @property
    def is_installed(self) -> bool:
        """Whether the package that it needs is installed."""
        return find_spec(self.module) is not None

    def applies(self, cell: Cell) -> bool:
        """Return whether it predicts any field of a cell."""
        return bool(cell.kinds & set(self.kinds)) and (not self.data_sets or cell.data_set in self.data_sets)


TEXT_KINDS = ("classes", "flags")
PEERS = {
    "tfidf": Peer(tfidf, TEXT_KINDS),
    "keyword_rule": Peer(
        keyword_rule, ("flags", "spans"), packages=(), data_sets=("transaction_risk", "transaction_risk@844e7c0"),
        sources=("benchmarks/keyword_peer.py",), present_sources=(RULES,),
    ),
    "crf": Peer(crf, ("spans",), "pycrfsuite", ("python-crfsuite",), sources=("benchmarks/crf.py",)),
    "frozen_states": Peer(frozen_states, TEXT_KINDS, packages=("scikit-learn", "torch", "transformers")),
    "setfit": Peer(
        setfit, TEXT_KINDS, "setfit", ("setfit", "sentence-transformers", "torch", "transformers"),
        sources=(LINEAR, TOOLS),
    ),
    "spacy": Peer(spacy, ("spans", *TEXT_KINDS), "spacy", ("spacy",), sources=(LINEAR, TOOLS)),
}  # fmt: skip
