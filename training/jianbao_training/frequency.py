"""Document frequencies of words in the news corpus → the hashed table that keyword features read.

usage: training_features words < news.jsonl | python -m jianbao_training.frequency OUT
"""

import json
import math
import pathlib
import sys

import numpy as np

ROWS = 1 << 15


def main():
    counts, documents = np.zeros(ROWS), 0
    for line in sys.stdin:
        counts[json.loads(line)] += 1
        documents += 1
    inverse = np.log(documents / np.maximum(counts, 0.5))
    table = np.clip(np.round(inverse * 20), 0, 255).astype(np.uint8)
    pathlib.Path(sys.argv[1]).write_bytes(table.tobytes())
    print(f"{documents} documents, rarest {math.exp(inverse.max()):.0f}:1")


if __name__ == "__main__":
    main()
