"""Small networks over features that the program computes (`src/document/page/network.rs`): training and export."""

import json
import pathlib

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

SEED = 17


def fit(x, y, held_out, networks, units, out):
    """Trains on what is not held out, writes `out`, returns the logits of what is. The mean of several networks'
    logits is one network with all their units."""
    scaler = StandardScaler().fit(x)
    order = np.random.RandomState(SEED).permutation(len(x))
    train = order[~held_out[order]]
    models = [MLPClassifier((units,), activation="tanh", alpha=1e-2, max_iter=120, early_stopping=True, random_state=SEED + k)
              .fit(scaler.transform(x[train]), y[train]) for k in range(networks)]
    hidden = np.concatenate([m.coefs_[0] for m in models], axis=1)
    hidden_bias = np.concatenate([m.intercepts_[0] for m in models])
    last = np.concatenate([m.coefs_[1][:, 0] for m in models]) / networks
    last_bias = np.mean([m.intercepts_[1][0] for m in models])
    digits = lambda a: [round(float(v), 5) for v in a]
    weights = dict(mean=digits(scaler.mean_), scale=digits(np.where(scaler.scale_ == 0, 1, scaler.scale_)),
                   hidden=[digits(row) for row in hidden.T], hidden_bias=digits(hidden_bias),
                   out=digits(last), out_bias=round(float(last_bias), 5))
    pathlib.Path(out).write_text(json.dumps(weights, separators=(",", ":")) + "\n")
    return np.tanh(scaler.transform(x[held_out]) @ hidden + hidden_bias) @ last + last_bias
