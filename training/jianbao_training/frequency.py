"""Document frequencies of words in the news corpus → the hashed table that keyword features read.

The hash is `row` in `src/text/document_frequency.rs`; rows come ready-made from `training_features words`.
"""

import json
import math

import numpy as np

ROWS = 1 << 15


def write_table(words, target):
    """`words`: one JSON list of row numbers a document. `target`: ROWS bytes, ln(N / df) in units of 1/20."""
    counts, documents = np.zeros(ROWS), 0
    for line in open(words, encoding="utf8"):
        counts[json.loads(line)] += 1
        documents += 1
    inverse = np.log(documents / np.maximum(counts, 0.5))
    target.write_bytes(np.clip(np.round(inverse * 20), 0, 255).astype(np.uint8).tobytes())
    print(f"{documents} documents, rarest 1 in {math.exp(inverse.max()):.0f}")
