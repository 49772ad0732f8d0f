"""Gradient-boosted trees over features that the program computes (`src/document/page/trees.rs`): training and export."""

import json
import pathlib
import struct

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

SEED = 17
LEAF = 0xFFFF
EXAMPLES = 40
FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "tests/fixtures"
DIGITS = 4                     # as `round` in examples/training_features.rs


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
    return [[node["feature_idx"], 1 + len(left), unrounded(node["num_threshold"])]] + left + right


def unrounded(threshold):
    """The program's features are rounded for training, to [`DIGITS`], and thresholds often are such numbers: half a step
    higher they part exact features just as they parted rounded ones."""
    step = 10.0 ** -DIGITS
    # A threshold that is a rounded number itself may be a little lower in 32 bits.
    return (np.floor(threshold / step + 0.05) + 0.5) * step


def write_trees(models, out):
    """Writes the mean of models: their trees, before each one's the logit that they start from, in the form of `trees.rs`."""
    parts = []
    for model in models:
        own = [[[LEAF, 0, model._baseline_prediction.item()]]] + [nodes_of(tree.nodes) for [tree] in model._predictors]
        parts += [[[feature, right, value / len(models) if feature == LEAF else value] for feature, right, value in tree] for tree in own]
    roots = np.cumsum([0] + [len(part) for part in parts[:-1]])
    packed = struct.pack(f"<{2 + len(roots)}I", models[0].n_features_in_, len(roots), *roots)
    packed += b"".join(struct.pack("<HHf", *node) for part in parts for node in part)
    pathlib.Path(out).write_bytes(packed)


def mean_logits(models, x):
    return np.mean([model.decision_function(x) for model in models], axis=0)


def export(models, out, x):
    """Writes the mean of models, and for its test what they say of some rows of `x`."""
    write_trees(models, out)
    logits = mean_logits(models, x)
    chosen = np.argsort(logits)[np.linspace(0, len(x) - 1, EXAMPLES).astype(int)]
    said = [dict(features=[round(float(v), DIGITS) for v in x[k]], logit=round(float(logits[k]), 5)) for k in chosen]
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in said)
    (FIXTURES / f"{pathlib.Path(out).name}.json").write_text(f"[{lines}]\n")


def held_out_figures(name, models, x, y):
    """What the mean of models says of examples that they were not trained on."""
    said = mean_logits(models, x) > 0
    print(f"{name}, held out: {len(y)} in question, {y.sum()} right; found {(said & y).sum() / y.sum():.4f}, "
          f"precision {(said & y).sum() / said.sum():.4f}, accuracy {(said == y).mean():.4f}", flush=True)
