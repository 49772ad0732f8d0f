"""Golden hidden states for the Rust tests: a tiny random encoder, and the exported model.

usage: python -m jianbao_training.golden MODEL_DIR FIXTURES_DIR
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import load_file, save_file

from .heads import KEYWORD_FEATURES, SALIENCE_FEATURES
from .quantise import dequantise
from .roformer import Config, RoFormer

TINY = dict(vocab_size=40, hidden_size=16, layers=2, heads=2, intermediate_size=32)
VOCABULARY = "[PAD] [UNK] [CLS] [SEP] [MASK] 东 江 大 桥 今 天 开 工 通 车 市 民 参 观 水 利 工 程 学 校 农 业 丰 收 。 ， ： “ ” 《 》 ( ) 年 月".split()


def encoder_from(tensors, config):
    encoder = RoFormer(config)
    encoder.load_state_dict({k: v.float() for k, v in tensors.items() if not k.startswith(("head.", "idf", "ngram.", "starts"))})
    return encoder.eval()


def states(encoder, sequences):
    with torch.no_grad():
        return [[[round(float(x), 6) for x in row] for row in encoder(torch.tensor([ids]))[0]] for ids in sequences]


def tiny(folder):
    torch.manual_seed(3)
    config = Config(**TINY)
    encoder = RoFormer(config)
    for p in encoder.parameters():
        torch.nn.init.normal_(p, std=0.5)
    tensors = {k: v.detach().contiguous() for k, v in encoder.state_dict().items()}
    h, sectors = TINY["hidden_size"], ["politics", "economy", "other"]
    for name, inputs in (("salience", 3 * h + SALIENCE_FEATURES), ("keyword", 4 * h + KEYWORD_FEATURES), ("continuation", 2 * h)):
        tensors |= {f"head.{name}.first.weight": torch.randn(4, inputs) * 0.1, f"head.{name}.first.bias": torch.zeros(4),
                    f"head.{name}.last.weight": torch.randn(1, 4), f"head.{name}.last.bias": torch.zeros(1)}
    rows, classes = 1 << 16, len(sectors)
    tensors |= {"ngram.idf": torch.zeros(rows, dtype=torch.uint8), "ngram.weight": torch.full((rows * classes,), 128, dtype=torch.uint8),
                "ngram.scale": torch.ones(classes), "ngram.bias": torch.zeros(classes), "head.sector.ngram_share": torch.ones(1)}
    tensors |= {"head.sector.weight": torch.randn(len(sectors), h), "head.sector.bias": torch.zeros(len(sectors)),
                "starts": torch.full((1 << 14,), 128, dtype=torch.uint8),
                "idf": torch.full((1 << 15,), 100, dtype=torch.uint8)}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    jianbao = dict(format=2, name="tiny", sectors=sectors, sector_tokens=64, sector_temperature=1.0,
                   salience_hidden=4, keyword_hidden=4, continuation_hidden=4)
    (folder / "config.json").write_text(json.dumps(config.to_json() | dict(jianbao=jianbao), indent=1) + "\n")
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(VOCABULARY)) + "\n", encoding="utf8")
    sequences = [[2, 5, 6, 7, 8, 3], [2, 9, 10, 11, 3], [2] + [5 + i % 30 for i in range(60)] + [3]]
    (folder / "golden.json").write_text(json.dumps(dict(sequences=sequences, states=states(encoder_from(tensors, config), sequences))))


def main():
    model, fixtures = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    tiny(fixtures / "tiny")
    tensors = dequantise(load_file(model / "model.safetensors"))
    shape = json.loads((model / "config.json").read_text())
    config = Config(shape["vocab_size"], shape["hidden_size"], shape["num_hidden_layers"], shape["num_attention_heads"],
                    shape["intermediate_size"])
    sequences = [[101] + list(range(1500, 1530)) + [102], [101, 3000, 2500, 102]]
    found = states(encoder_from(tensors, config), sequences)
    # A few rows are enough, and small.
    kept = [{"sequence": s, "row": r, "state": found[s][r]} for s, r in ((0, 0), (0, 17), (1, 2))]
    (fixtures / "news-golden.json").write_text(json.dumps(dict(sequences=sequences, rows=kept)))


if __name__ == "__main__":
    main()
