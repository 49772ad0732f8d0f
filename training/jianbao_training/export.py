"""Writes a model folder from WORK/learnt.safetensors (or others, such as the teacher's), ngrams.safetensors and starts.pt:
weights as int8 (the encoder) and f16 (the rest), tokenizer, configuration, checksums.

usage: python -m jianbao_training.export WORK OUT_DIR [--weights NAME] [--temperature T]
"""

import argparse
import hashlib
import json
import pathlib
import shutil

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from .data import SECTORS
from .heads import SECTOR_TOKENS
from .quantise import quantise
from .roformer import Config


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--weights", default="learnt.safetensors", help="a file in WORK")
    parser.add_argument("--temperature", type=float, default=1.0)
    a = parser.parse_args()
    tensors = quantise(load_file(a.work / a.weights))
    layers = len({name.split(".")[1] for name in tensors if name.startswith("layer.")})
    ngrams = load_file(a.work / "ngrams.safetensors")
    tensors |= {"ngram.idf": ngrams["ngram.idf"], "ngram.scale": ngrams["ngram.scale"], "ngram.bias": ngrams["ngram.bias"]}
    # Candle reads no i8: stored as u8 around 128.
    tensors["ngram.weight"] = (ngrams["ngram.weight"].to(torch.int16) + 128).to(torch.uint8).flatten()
    tensors["starts"] = torch.load(a.work / "starts.pt")
    tensors["idf"] = torch.from_numpy(np.frombuffer((a.work / "idf.bin").read_bytes(), dtype=np.uint8).copy())
    a.out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, a.out / "model.safetensors")
    shutil.copy(a.work / "base/tokenizer.json", a.out / "tokenizer.json")
    heads = dict(format=2, name="news", sectors=SECTORS, sector_tokens=SECTOR_TOKENS, sector_temperature=a.temperature,
                 salience_hidden=tensors["head.salience.first.weight"].shape[0],
                 keyword_hidden=tensors["head.keyword.first.weight"].shape[0],
                 continuation_hidden=tensors["head.continuation.first.weight"].shape[0])
    (a.out / "config.json").write_text(json.dumps(Config(layers=layers).to_json() | dict(jianbao=heads), indent=1) + "\n")
    sums = [f"{hashlib.sha256((a.out / n).read_bytes()).hexdigest()}  {n}\n"
            for n in ("config.json", "model.safetensors", "tokenizer.json")]
    (a.out / "SHA256SUMS").write_text("".join(sums))
    print(f"{(a.out / 'model.safetensors').stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
