"""Gradient-boosted trees over features that the program computes (`src/document/page/trees.rs`): training and export."""

import pathlib
import struct

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

SEED = 17
LEAF = 0xFFFF


def fit(x, y, trees=300, rate=0.08, leaves=63):
    """Half of the features are in question at each split, and a leaf has at least a hundred examples: what one article
    does is no rule."""
    return HistGradientBoostingClassifier(
        max_iter=trees, learning_rate=rate, max_leaf_nodes=leaves, min_samples_leaf=100, l2_regularization=5,
        max_features=0.5, early_stopping=False, random_state=SEED).fit(x, y)


def nodes_of(nodes, at=0):
    """A tree in pre-order: [feature, steps to the right child, value]."""
    node = nodes[at]
    if node["is_leaf"]:
        return [[LEAF, 0, node["value"]]]
    left, right = nodes_of(nodes, node["left"]), nodes_of(nodes, node["right"])
    # The program compares in 32 bits: the next value below the threshold parts 32-bit features the same way.
    threshold = np.float32(node["num_threshold"])
    if threshold > node["num_threshold"]:
        threshold = np.nextafter(threshold, np.float32(-np.inf))
    return [[node["feature_idx"], 1 + len(left), threshold]] + left + right


def export(model, out):
    """Writes the trees, before them the logit that all start from, in the form of `trees.rs`."""
    parts = [[[LEAF, 0, model._baseline_prediction.item()]]] + [nodes_of(tree.nodes) for [tree] in model._predictors]
    roots = np.cumsum([0] + [len(part) for part in parts[:-1]])
    packed = struct.pack(f"<{2 + len(roots)}I", model.n_features_in_, len(roots), *roots)
    packed += b"".join(struct.pack("<HHf", *node) for part in parts for node in part)
    pathlib.Path(out).write_bytes(packed)


def held_out_figures(name, model, x, y):
    """What the trees say of examples that they were not trained on."""
    said = model.decision_function(x) > 0
    print(f"{name}, held out: {len(y)} in question, {y.sum()} right; found {(said & y).sum() / y.sum():.4f}, "
          f"precision {(said & y).sum() / said.sum():.4f}, accuracy {(said == y).mean():.4f}", flush=True)
