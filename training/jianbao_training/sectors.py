"""Fits the linear sector head of a trained encoder once more, alone, to what teachers say on the average: labels are noisier than
they are (fitted to labels alone it lost two points on the development articles; half and half gained nothing).

usage: python -m jianbao_training.sectors PACK STUDENT.safetensors TEACHER.safetensors … --tokenizer FILE [--every N]

Teachers are files of `joint`, or a finished model's `model.safetensors`. The student's file gets the new head.
"""

import argparse
import pathlib

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch.nn import functional as F

from .batches import Pack, pad_ids
from .heads import first_mean
from .quantise import dequantise
from .roformer import Config, RoFormer

PARTS = ("word_embeddings", "embedding_norm", "layer.", "head.sector.")
WINDOW = 352              # tokens: enough for the SECTOR_TOKENS that the head reads
BATCH = 24
STEPS, RATE = 400, 3e-3


def encoder_of(tensors):
    layers = len({k.split(".")[1] for k in tensors if k.startswith("layer.")})
    encoder = RoFormer(Config(layers=layers)).eval()
    encoder.load_state_dict({k: tensors[k].float() for k in encoder.state_dict()})
    return encoder


@torch.no_grad()
def vectors(encoder, sequences, device):
    """The mean of the first SECTOR_TOKENS tokens of text of each (ids, marks), in their order."""
    order = sorted(range(len(sequences)), key=lambda k: len(sequences[k][0]))
    out = torch.empty(len(sequences), encoder.config.hidden_size)
    for k in range(0, len(order), BATCH):
        part = order[k:k + BATCH]
        ids, marks = (pad_ids([sequences[i][j] for i in part]).to(device) for j in (0, 1))
        with torch.autocast(device.type, torch.bfloat16):
            hidden = encoder(ids).float()
        out[part] = first_mean(hidden, marks).cpu()
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=pathlib.Path)
    parser.add_argument("student", type=pathlib.Path)
    parser.add_argument("teachers", type=pathlib.Path, nargs="+")
    parser.add_argument("--tokenizer", type=pathlib.Path, required=True)
    parser.add_argument("--every", type=int, default=3, help="every so many of the labelled articles; each third without its title")
    a = parser.parse_args()
    torch.manual_seed(17)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    pack = Pack(a.pack, Tokenizer.from_file(str(a.tokenizer)))
    files = [dequantise({k: v for k, v in load_file(path).items() if k.startswith(PARTS)}) for path in (a.student, *a.teachers)]
    asked = list(pack.sector_of)[::a.every]
    titled = [k % 3 > 0 for k in range(len(asked))]
    sequences = [pack.sector_sequence(pack.news_title[i], pack.news_body[i], t, WINDOW) for i, t in zip(asked, titled)]
    ngrams = torch.from_numpy(np.stack([pack.ngrams[i][0 if t else 1] for i, t in zip(asked, titled)]))
    dev = {name: [pack.sector_sequence(t, b, with_title, WINDOW) for t, b in zip(pack.dev_title, pack.dev_body)]
           for name, with_title in (("titled", True), ("untitled", False))}
    read, dev_read = [], []
    for tensors in files:
        encoder = encoder_of(tensors).to(device)
        read.append(vectors(encoder, sequences, device))
        dev_read.append({name: vectors(encoder, s, device) for name, s in dev.items()})
        print("read", flush=True)
    said = lambda tensors, x, n: x @ tensors["head.sector.weight"].float().T + tensors["head.sector.bias"].float() + tensors["head.sector.ngram_share"].float() * n

    def figures(tensors, which):
        for k, name in enumerate(dev):
            best = said(tensors, dev_read[which][name], torch.from_numpy(pack.dev_ngrams[:, k])).argmax(1)
            print(f"  {name}:", *(f"{x:.4f}" for x in pack.sector_figures(best.numpy())), flush=True)

    for which, tensors in enumerate(files):
        print(f"teacher {which}" if which else "student"), figures(tensors, which)
    student = files[0]
    wanted = torch.stack([said(tensors, x, ngrams).softmax(1) for tensors, x in zip(files[1:], read[1:])]).mean(0)
    weight, bias, share = (student[f"head.sector.{k}"].float().clone().requires_grad_() for k in ("weight", "bias", "ngram_share"))
    optimizer = torch.optim.AdamW([weight, bias, share], lr=RATE, weight_decay=1e-3)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * max(0.05, 1 - step / STEPS)
        loss = F.kl_div((read[0] @ weight.T + bias + share * ngrams).log_softmax(1), wanted, reduction="batchmean")
        optimizer.zero_grad(), loss.backward(), optimizer.step()
    student |= {"head.sector.weight": weight.detach(), "head.sector.bias": bias.detach(), "head.sector.ngram_share": share.detach()}
    print("fitted"), figures(student, 0)
    save_file(load_file(a.student) | {k: v.contiguous() for k, v in student.items() if k.startswith("head.sector.")}, a.student)


if __name__ == "__main__":
    main()
