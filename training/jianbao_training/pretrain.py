"""Stage 1: the base encoder learns news.

Three tasks in turn on one encoder: masked characters on `news.jsonl.gz`; the hand-labelled sectors; the
94,000 headlines with their own two label sets (weak supervision). Only the encoder and the sector head go on.

usage: python -m jianbao_training.pretrain WORK SHARED [--steps N]   (resumes from WORK/pretrain.pt)
"""

import argparse
import pathlib
import random
import time

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional as F

from .data import SECTORS, fold, rows, sector_labels, soft_sector
from .roformer import Config, LanguageModelHead, RoFormer

CHUNK, CHUNKS_A_BATCH = 256, 16
SECTOR_TOKENS, SECTORS_A_BATCH = 224, 24
HEADLINES_A_BATCH = 96


class Model(nn.Module):
    def __init__(self, labels):
        super().__init__()
        c = Config()
        self.encoder, self.lm = RoFormer(c), LanguageModelHead(c)
        self.sector = nn.Linear(c.hidden_size, len(SECTORS))
        self.headline = nn.Linear(c.hidden_size, labels)

    def pooled(self, ids):
        keep = (ids != 0).unsqueeze(-1).float()
        return (self.encoder(ids).float() * keep).sum(1) / keep.sum(1)


def pad(sequences):
    out = torch.zeros(len(sequences), max(map(len, sequences)), dtype=torch.long)
    for i, s in enumerate(sequences):
        out[i, :len(s)] = torch.tensor(s)
    return out


def masked(ids, mask_id, generator):
    """BERT's 15 %: 80 % become [MASK], 10 % another token, 10 % stay. Returns inputs and positions to predict."""
    choice = torch.rand(ids.shape, generator=generator)
    chosen = (choice < 0.15) & (ids > 103)
    kind = torch.rand(ids.shape, generator=generator)
    out = ids.clone()
    out[chosen & (kind < 0.8)] = mask_id
    other = chosen & (kind > 0.9)
    out[other] = torch.randint(700, 11000, ids.shape, generator=generator)[other]
    return out, chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("shared", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--seed", type=int, default=17)
    a = parser.parse_args()
    torch.manual_seed(a.seed)
    rng = random.Random(a.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = Tokenizer.from_file(str(a.work / "base/tokenizer.json"))
    cls, sep, mask_id = (tokenizer.token_to_id(t) for t in ("[CLS]", "[SEP]", "[MASK]"))
    news = rows(a.shared / "data/news.jsonl.gz")
    by_id = {r["id"]: r for r in news}
    labelled = [(by_id[r["id"]], soft_sector(r)) for r in sector_labels(a.shared / "data").values()]
    headlines = rows(a.shared / "data/headlines.jsonl.gz")
    names = sorted({(h["source"].split("-")[0], h["label"]) for h in headlines})
    label_of = {n: i for i, n in enumerate(names)}
    model = Model(len(names)).to(device)
    base = load_file(a.work / "base/base.safetensors")
    model.encoder.load_state_dict({k: v for k, v in base.items() if not k.startswith("lm.")})
    model.lm.load_state_dict({k[3:]: v for k, v in base.items() if k.startswith("lm.")})
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01, fused=True)
    peak = 1e-4
    schedule = lambda step: min(1.0, (step + 1) / 100) * max(0.03, 1 - step / a.steps)
    start, state_path = 0, a.work / "pretrain.pt"
    if state_path.exists():
        state = torch.load(state_path, weights_only=False)
        model.load_state_dict(state["model"]), optimizer.load_state_dict(state["optimizer"])
        start = state["step"]
        rng.setstate(state["rng"]), torch.set_rng_state(state["torch_rng"])
    encode = lambda text, limit: tokenizer.encode(fold(text[:limit * 2])).ids[:limit - 1] + [sep]
    began, seen = time.time(), {}
    model.train()
    for step in range(start, a.steps):
        for group in optimizer.param_groups:
            group["lr"] = peak * schedule(step)
        task = ("mlm", "sector", "mlm", "headline")[step % 4]
        with torch.autocast(device, torch.bfloat16):
            if task == "mlm":
                chunks = []
                while len(chunks) < CHUNKS_A_BATCH:
                    r = rng.choice(news)
                    at = rng.randrange(max(1, len(r["text"]) - CHUNK)) if rng.random() < 0.6 else 0
                    text = r["text"][at:at + 2 * CHUNK] if at else r["title"] + "\n" + r["text"][:2 * CHUNK]
                    ids = tokenizer.encode(fold(text)).ids[:CHUNK]
                    if len(ids) > CHUNK * 0.7:
                        chunks.append(ids)
                inputs, chosen = masked(pad(chunks), mask_id, None)
                target = pad(chunks)[chosen]
                hidden = model.encoder(inputs.to(device))[chosen.to(device)]
                loss = F.cross_entropy(model.lm(hidden, model.encoder.word_embeddings.weight).float(), target.to(device))
            elif task == "sector":
                picked = rng.sample(labelled, SECTORS_A_BATCH)
                ids = pad([encode((r["title"] + "\n" if rng.random() < 0.85 else "") + r["text"], SECTOR_TOKENS)
                           for r, _ in picked])
                scores = model.sector(model.pooled(ids.to(device)))
                loss = F.cross_entropy(scores, torch.tensor([t for _, t in picked]).to(device))
            else:
                picked = rng.sample(headlines, HEADLINES_A_BATCH)
                ids = pad([encode(h["text"], 40) for h in picked])
                scores = model.headline(model.pooled(ids.to(device)))
                loss = F.cross_entropy(scores, torch.tensor([label_of[h["source"].split("-")[0], h["label"]]
                                                             for h in picked]).to(device))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seen.setdefault(task, []).append(loss.item())
        if (step + 1) % 50 == 0:
            mean = {k: round(sum(v) / len(v), 3) for k, v in seen.items()}
            print(f"step {step + 1}/{a.steps} {mean} {(time.time() - began) / (step + 1 - start):.2f} s/step", flush=True)
            seen = {}
        if (step + 1) % 200 == 0 or step + 1 == a.steps:
            torch.save(dict(model=model.state_dict(), optimizer=optimizer.state_dict(), step=step + 1,
                            rng=rng.getstate(), torch_rng=torch.get_rng_state()), state_path)
    out = {k: v.detach().cpu().contiguous() for k, v in model.encoder.state_dict().items()}
    out |= {"sector." + k: v.detach().cpu() for k, v in model.sector.state_dict().items()}
    save_file(out, a.work / "pretrained.safetensors")


if __name__ == "__main__":
    main()
