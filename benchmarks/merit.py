"""Figures of merit of a score against a truth, exact under ties."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def _steps(truth: NDArray[np.bool_], score: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return hits and false alarms at each distinct threshold, from the highest down."""
    order = np.argsort(-score, kind="stable")
    sorted_score, sorted_truth = score[order], truth[order]
    last = np.append(np.flatnonzero(np.diff(sorted_score)), len(score) - 1)
    hits = np.cumsum(sorted_truth, dtype=np.int64)[last]
    return hits, last + 1 - hits


def roc_auc(truth: NDArray[np.bool_], score: NDArray[Any]) -> float:
    """Return the area under the receiver operating characteristic: P(changed scores above unchanged), ties half."""
    hits, alarms = (np.concatenate([[0], s]) for s in _steps(truth, score))
    return float(np.trapezoid(hits / hits[-1], alarms / alarms[-1]))


def average_precision(truth: NDArray[np.bool_], score: NDArray[Any]) -> float:
    """Return the precision at each distinct threshold, weighted by the recall it adds."""
    hits, alarms = _steps(truth, score)
    added = np.diff(np.concatenate([[0], hits])) / hits[-1]
    return float(added @ (hits / (hits + alarms)))
