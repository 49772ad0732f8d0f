"""Masked language modelling over all news: the encoder learns how newspapers write.

usage: python -m jianbao_training.language PACK OUT.safetensors --start base.safetensors --tokenizer FILE [--keep 0,1,2,5] [--epochs N] [--minutes M]

All titles and bodies are one stream of tokens, cut at another place in every epoch into blocks of 512: no padding. Spans of one to
three characters are hidden, about 15 % of all.
"""

import time

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional as F

from .batches import Ragged
from .options import parser
from .quantise import dequantise
from .roformer import Config, LanguageModelHead, RoFormer

BLOCK, BLOCKS = 512, 96
PEAK, WARM = 4e-4, 0.05
STARTS = 0.078             # places where a span begins


def stream(arrays, sep):
    title, body = Ragged(arrays, "news.title"), Ragged(arrays, "news.body")
    end = np.array([sep], np.uint16)
    parts = [part for k in range(len(body)) for part in (title[k], end, body[k], end)]
    return torch.from_numpy(np.concatenate(parts).astype(np.int32))


def hide(ids, mask, words):
    """BERT's way over spans: 80 % of what is chosen become [MASK], 10 % another token, 10 % stay."""
    begins, length = torch.rand(ids.shape, device=ids.device) < STARTS, torch.randint(1, 4, ids.shape, device=ids.device)
    chosen = begins.clone()
    for k in (1, 2):
        chosen[:, k:] |= (begins & (length > k))[:, :-k]
    chosen &= ids > 103
    kind = torch.rand(ids.shape, device=ids.device)
    out = torch.where(chosen & (kind < 0.8), mask, ids)
    return torch.where(chosen & (kind > 0.9), torch.randint(700, words, ids.shape, device=ids.device), out), chosen


def main():
    options = parser(__doc__, epochs=10)
    options.add_argument("--blocks", type=int, default=BLOCKS)
    options.add_argument("--seed", type=int, default=17)
    a = options.parse_args()
    torch.manual_seed(a.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer = Tokenizer.from_file(str(a.tokenizer))
    cls, sep, mask = (tokenizer.token_to_id(t) for t in ("[CLS]", "[SEP]", "[MASK]"))
    arrays = np.load(a.pack)
    tokens = stream(arrays, sep).to(device)
    keep = [int(k) for k in a.keep.split(",")]
    config = Config(layers=len(keep))
    encoder, head = RoFormer(config).to(device), LanguageModelHead(config).to(device)
    base = dequantise(load_file(a.start))
    encoder.take_layers(base, keep)
    head.load_state_dict({k: base["lm." + k] for k in head.state_dict()})
    if device.type == "cuda":
        for layer in encoder.layer:
            layer.compile()   # what is done element by element is bound by memory: fused, it is read and written once
    parameters = [*encoder.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=PEAK, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    inside = BLOCK - 1
    count = len(tokens) // inside - 1
    total, step, began, sums = int(a.epochs * count / a.blocks), 0, time.time(), []
    print(f"{len(tokens)} tokens, {total} steps", flush=True)
    order, progress = torch.empty(0, dtype=torch.long, device=device), 0.0
    while (progress := max(step / total, (time.time() - began) / 60 / a.minutes)) < 1:
        if len(order) < a.blocks:
            order = torch.randperm(count, device=device) * inside + torch.randint(inside, (), device=device)
        at, order = order[:a.blocks], order[a.blocks:]
        ids = tokens[at[:, None] + torch.arange(inside, device=device)].long()
        ids = F.pad(ids, (1, 0), value=cls)
        inputs, chosen = hide(ids, mask, 11000)
        for group in optimizer.param_groups:
            group["lr"] = PEAK * min(1.0, (progress + 1e-3) / WARM) * max(0.01, 1 - progress)
        with torch.autocast(device.type, torch.bfloat16):
            places = chosen.flatten().nonzero().squeeze(1)
            hidden = encoder(inputs).flatten(0, 1).index_select(0, places)
            scores = head(hidden, encoder.word_embeddings.weight)
        loss = F.cross_entropy(scores.float(), ids.flatten()[places])
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step(), optimizer.zero_grad()
        step += 1
        sums.append(loss.detach())
        if step % 200 == 0 or step == 20:
            rate = step * a.blocks * BLOCK / (time.time() - began)
            print(f"step {step}/{total} loss {torch.stack(sums).mean().item():.4f} {rate:.0f} tokens/s", flush=True)
            sums = []
    out = {k: v.detach().cpu().contiguous() for k, v in encoder.state_dict().items()}
    out |= {"lm." + k: v.detach().cpu().contiguous() for k, v in head.state_dict().items()}
    save_file(out, a.out)
    print(f"{a.out}: {step} steps, {time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
