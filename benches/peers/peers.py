"""jianbao against its peers: the same model, the same tokens, the same threads, in rounds that take turns.

Encoders, on the token sequences that `jianbao bench --tokens` writes:
  jianbao f32, int8       `jianbao bench --stage encoder`
  ONNX Runtime f32, int8  the shipped weights exported from PyTorch; int8 is dynamic quantisation
  PyTorch f32             the same module as in training/
  stock Candle f32        candle_transformers' BertModel of the same shape (random weights), one sequence at a time

Encoders on a GPU (--stage gpu; needs a `jianbao` built with the feature `cuda`):
  jianbao f16, bf16       `jianbao bench --stage encoder --device cuda`: states come back to the host as f32
  PyTorch bf16, f16       the same module, fused attention; states brought back as f32 too, or left on the GPU

End to end, on the same articles, block by block in turn (--block articles each):
  jianbao                 `jianbao batch`, from a cold start to records on disk: decode, sector, summary, keywords, JSON
  a Python pipeline       what one would build instead: jieba, every sentence encoded (sentence-transformers style),
                          TextRank for the summary, KeyBERT-style candidates encoded for the keywords; ONNX Runtime int8

Sequences are sorted by length and batched to --batch-tokens padded tokens for everybody who pads.
"""

import argparse
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "training"))

import numpy as np
import torch
from jianbao_training.golden import encoder_from
from jianbao_training.quantise import dequantise
from jianbao_training.roformer import Config, rotary_angles
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

MODEL = ROOT / "models/news"


class Masked(torch.nn.Module):
    """The encoder with its mask as an input: what an exporter can follow."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, ids, mask):
        encoder = self.encoder
        cos, sin = rotary_angles(ids.shape[1], 64, ids.device)
        x = encoder.embedding_norm(encoder.word_embeddings(ids))
        bias = (1.0 - mask[:, None, None, :].to(x.dtype)) * -10000.0
        for layer in encoder.layer:
            x = layer(x, bias, cos, sin, 0.0)
        return x


def load_encoder():
    shape = json.loads((MODEL / "config.json").read_text())
    config = Config(shape["vocab_size"], shape["hidden_size"], shape["num_hidden_layers"], shape["num_attention_heads"],
                    shape["intermediate_size"])
    return Masked(encoder_from(dequantise(load_file(MODEL / "model.safetensors")), config)).eval()


def export(encoder, folder):
    """f32 and dynamically quantised ONNX files."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    plain, int8 = folder / "news.onnx", folder / "news-int8.onnx"
    example = (torch.randint(5, 1000, (2, 32)), torch.ones(2, 32, dtype=torch.long))
    torch.onnx.export(encoder, example, str(plain), input_names=["ids", "mask"], output_names=["states"], dynamo=False,
                      opset_version=17, dynamic_axes={name: {0: "batch", 1: "time"} for name in ("ids", "mask", "states")})
    quantize_dynamic(str(plain), str(int8), weight_type=QuantType.QInt8, per_channel=True)
    return plain, int8


def session(path, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def padded_batches(sequences, batch_tokens):
    """(ids, mask) arrays, longest sequences first, at most batch_tokens with padding."""
    out, batch = [], []
    for ids in sorted(sequences, key=len, reverse=True):
        if batch and (len(batch) + 1) * len(batch[0]) > batch_tokens:
            out.append(batch)
            batch = []
        batch.append(ids)
    out.append(batch)
    arrays = []
    for batch in out:
        ids = np.zeros((len(batch), len(batch[0])), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, sequence in enumerate(batch):
            ids[row, :len(sequence)], mask[row, :len(sequence)] = sequence, 1
        arrays.append((ids, mask))
    return arrays


def stock_bert(folder):
    """A BERT of the same shape with random weights, for candle_transformers."""
    shape = json.loads((MODEL / "config.json").read_text())
    h, m, layers, vocabulary = shape["hidden_size"], shape["intermediate_size"], shape["num_hidden_layers"], shape["vocab_size"]
    tensors = {"embeddings.word_embeddings.weight": (vocabulary, h), "embeddings.position_embeddings.weight": (512, h),
               "embeddings.token_type_embeddings.weight": (2, h)}
    norms = ["embeddings.LayerNorm"]
    for i in range(layers):
        prefix = f"encoder.layer.{i}."
        for name, (rows, columns) in {"attention.self.query": (h, h), "attention.self.key": (h, h), "attention.self.value": (h, h),
                                      "attention.output.dense": (h, h), "intermediate.dense": (m, h), "output.dense": (h, m)}.items():
            tensors |= {f"{prefix}{name}.weight": (rows, columns), f"{prefix}{name}.bias": (rows,)}
        norms += [prefix + "attention.output.LayerNorm", prefix + "output.LayerNorm"]
    torch.manual_seed(1)
    weights = {name: torch.randn(size) * 0.05 for name, size in tensors.items()}
    for name in norms:
        weights |= {f"{name}.weight": torch.ones(h), f"{name}.bias": torch.zeros(h)}
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(dict(
        model_type="bert", vocab_size=vocabulary, hidden_size=h, num_hidden_layers=layers, num_attention_heads=shape["num_attention_heads"],
        intermediate_size=m, hidden_act="gelu", hidden_dropout_prob=0.0, max_position_embeddings=512, type_vocab_size=2,
        initializer_range=0.02, layer_norm_eps=1e-12, pad_token_id=0, position_embedding_type="absolute", use_cache=False)))
    (folder / "tokenizer.json").write_bytes((MODEL / "tokenizer.json").read_bytes())


class Jianbao:
    """One round of `jianbao bench` a call; loading is not counted by it."""

    def __init__(self, a, stage, dtype, model="news", device="cpu", seconds=0):
        self.command = [a.jianbao, "bench", "--stage", stage, "--dtype", dtype, "--device", device, "--batch-tokens", str(a.batch_tokens),
                        "--rounds", "1", "--seconds", str(seconds), "--threads", str(a.threads), "--model", str(model), "--json", "-q"]
        self.command += ["--input", str(a.input)] if a.input else ["--mix", a.mix]
        self.dtype = dtype

    def __call__(self):
        report = json.loads(subprocess.run(self.command, check=True, capture_output=True, text=True).stdout)
        return next(case["seconds"]["median"] for case in report["cases"] if case["dtype"] == self.dtype)


class Batch:
    """`jianbao batch` as a user runs it: loading, reading and writing count."""

    def __init__(self, a, folder):
        self.source, self.folder = folder / "block.jsonl", folder / "out"
        self.command = [a.jianbao, "batch", str(self.source), "-o", str(self.folder), "--threads", str(a.threads), "--device", "cpu",
                        "--batch-tokens", str(a.batch_tokens), "-q"]

    def __call__(self, articles):
        shutil.rmtree(self.folder, ignore_errors=True)
        rows = (json.dumps(dict(id=str(i), **article), ensure_ascii=False) for i, article in enumerate(articles))
        self.source.write_text("\n".join(rows), encoding="utf8")
        began = time.perf_counter()
        subprocess.run(self.command, check=True, capture_output=True)
        seconds = time.perf_counter() - began
        records = (self.folder / "results.jsonl").read_text(encoding="utf8").splitlines()
        assert len(records) == len(articles) and not any('"error"' in record[:200] for record in records)
        return seconds


def over(blocks, work):
    """Each call times `work` on the next block; `work` may return its own seconds."""
    following = iter(blocks)

    def call():
        block, began = next(following), time.perf_counter()
        seconds = work(block)
        return seconds if seconds is not None else time.perf_counter() - began
    return call


class Timed:
    def __init__(self, work):
        self.work = work
        work()

    def __call__(self):
        began = time.perf_counter()
        self.work()
        return time.perf_counter() - began


SENTENCE = re.compile(r"[^。！？\n]+[。！？]?[”」』]?")
STOP = set("的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经")


class PythonPipeline:
    """jieba + sentence vectors + TextRank + KeyBERT."""

    def __init__(self, run, batch_tokens):
        import jieba
        self.cut = jieba.cut
        self.run, self.batch_tokens = run, batch_tokens
        self.tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
        jieba.initialize()

    def vectors(self, texts):
        """Mean-pooled, normalised; sorted by length, in batches."""
        ids = [self.tokenizer.encode(text).ids[:512] for text in texts]
        order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
        out, at = np.zeros((len(ids), 384), dtype=np.float32), 0
        for arrays in padded_batches(ids, self.batch_tokens):
            states, mask = self.run(*arrays), arrays[1][:, :, None]
            pooled = (states * mask).sum(1) / mask.sum(1)
            out[order[at:at + len(pooled)]] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
            at += len(pooled)
        return out

    def brief(self, title, text):
        sentences = [s.strip() for s in SENTENCE.findall(text) if len(s.strip()) > 5] or [text]
        words = [w for w in self.cut(title + "\n" + text)]
        content = lambda w: len(w) > 1 and not set(w) <= STOP and re.fullmatch(r"[\u4e00-\u9fffA-Za-z]+", w)
        candidates = list(dict.fromkeys([w for w in words if content(w)]
                                        + [a + b for a, b in zip(words, words[1:]) if content(a) and content(b)]))[:120]
        vectors = self.vectors([title + text[:500]] + sentences + candidates)
        article, sentence, candidate = vectors[0], vectors[1:1 + len(sentences)], vectors[1 + len(sentences):]
        similar = np.maximum(sentence @ sentence.T, 0)
        np.fill_diagonal(similar, 0)
        weights = similar / np.maximum(similar.sum(1, keepdims=True), 1e-9)
        rank = np.full(len(sentences), 1 / len(sentences))
        for _ in range(50):
            rank = 0.15 / len(sentences) + 0.85 * weights.T @ rank
        summary = [sentences[i] for i in sorted(np.argsort(-rank)[:3])]
        chosen, scores = [], candidate @ article
        while len(chosen) < min(8, len(candidates)):
            redundancy = np.max(candidate @ candidate[chosen].T, axis=1) if chosen else 0
            value = 0.6 * scores - 0.4 * redundancy
            value[chosen] = -9
            chosen.append(int(np.argmax(value)))
        return dict(summary=summary, keywords=[candidates[i] for i in chosen])

    def __call__(self, articles):
        for article in articles:
            json.dumps(self.brief(article.get("title", ""), article["text"]), ensure_ascii=False)


def machine(a):
    report = subprocess.run([a.jianbao, "bench", "--mix", "short", "--stage", "encoder", "--dtype", "f32", "--batch-tokens", "1024", "--rounds",
                             "1", "--seconds", "0", "--device", "cpu", "--json", "-q"], check=True, capture_output=True, text=True).stdout
    about = json.loads(report)["machine"]
    return f"{about['processor']}, {about['cores']} cores ({', '.join(about['instructions'])}), {about['system']}"


def compare(title, peers, amount, unit, rounds, keep):
    """Rounds of all peers in turn; a Markdown table of jianbao over each. `keep` gets the table after every round."""
    seconds = {name: [] for name in peers}
    for round_ in range(rounds):
        for name, peer in peers.items():
            seconds[name].append(peer())
            print(f"round {round_ + 1}/{rounds} {name}: {seconds[name][-1]:.2f} s", file=sys.stderr, flush=True)
        keep(table(title, seconds, amount, unit))
    return table(title, seconds, amount, unit)


def table(title, seconds, amount, unit):
    out = [f"### {title}", "", f"| | {unit}/s | spread | jianbao over it |", "| --- | ---: | ---: | ---: |"]
    best = {}
    for name, values in seconds.items():
        if name.startswith("jianbao"):
            best[name.removeprefix("jianbao").strip()] = statistics.median(values)
    for name, values in seconds.items():
        median = statistics.median(values)
        spread = (max(values) - min(values)) / 2 / median
        ratio = "–" if name.startswith("jianbao") else ", ".join(f"{kind} {median / own:.2f}×".strip() for kind, own in best.items())
        out.append(f"| {name} | {amount / median:.1f} | ±{100 * spread:.0f} % | {ratio} |")
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jianbao", default=str(ROOT / "target/release/jianbao"))
    parser.add_argument("--input", type=pathlib.Path, help="articles, JSON Lines {id, title, text}; otherwise --mix")
    parser.add_argument("--mix", default="article")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--block", type=int, default=200, help="articles a block, end to end")
    parser.add_argument("--stage", choices=["encoder", "end-to-end", "gpu", "all"], default="all")
    parser.add_argument("--output", type=pathlib.Path)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if a.input and a.stage == "end-to-end":
            rows = [json.loads(line) for line in open(a.input, encoding="utf8")]
        else:
            rows = tokenized(a, folder / "tokens.jsonl")
        runner = lambda path: (lambda s: lambda ids, mask: s.run(None, dict(ids=ids, mask=mask))[0])(session(path, a.threads))
        parts = [f"{machine(a)}; {a.threads} threads, batches of {a.batch_tokens} tokens, medians of rounds in turn\n"]

        def keep(table):
            """What is measured so far is kept, whatever happens next."""
            text = "\n".join(parts + [table])
            if a.output:
                a.output.write_text(text, encoding="utf8")
            return text

        if a.stage == "gpu":
            print(on_gpu(a, rows, keep))
            return
        encoder = load_encoder()
        plain, int8 = export(encoder, folder)
        if a.stage != "end-to-end":
            parts.append(encoders(a, rows, encoder, plain, int8, runner, folder, keep))
        if a.stage != "encoder":
            parts.append(end_to_end(a, rows, runner(int8), folder, keep))
        print("\n".join(parts))


def tokenized(a, path):
    """Articles with the token sequences that jianbao's encoder reads."""
    texts = ["--input", str(a.input)] if a.input else ["--mix", a.mix]
    subprocess.run([a.jianbao, "bench", *texts, "--stage", "encoder", "--dtype", "f32", "--device", "cpu", "--batch-tokens", "4096",
                    "--rounds", "1", "--seconds", "0", "--tokens", str(path), "--json", "-q"], check=True, capture_output=True)
    return [json.loads(line) for line in open(path, encoding="utf8")]


def encoders(a, rows, encoder, plain, int8, runner, folder, keep):
    sequences = [ids for row in rows for ids in row["windows"]]
    stock = folder / "bert"
    stock.mkdir()
    stock_bert(stock)
    batches = padded_batches(sequences, a.batch_tokens)
    tensors = [(torch.from_numpy(ids), torch.from_numpy(mask)) for ids, mask in batches]
    all_of = lambda run: Timed(lambda: [run(ids, mask) for ids, mask in batches])

    def pytorch():
        with torch.no_grad():
            for ids, mask in tensors:
                encoder(ids, mask)
    with torch.no_grad():
        largest = max(float((torch.from_numpy(runner(plain)(ids, mask)) - encoder(torch.from_numpy(ids), torch.from_numpy(mask)))
                            [torch.from_numpy(mask) == 1].abs().max()) for ids, mask in batches[:2])
    assert largest < 1e-3, f"the export differs by {largest}"
    peers = {
        "jianbao f32": Jianbao(a, "encoder", "f32"), "jianbao int8": Jianbao(a, "encoder", "int8"),
        "ONNX Runtime f32": all_of(runner(plain)), "ONNX Runtime int8": all_of(runner(int8)),
        "PyTorch f32": Timed(pytorch), "stock Candle BERT f32": Jianbao(a, "encoder", "f32", stock),
    }
    count = sum(len(ids) for ids in sequences)
    padded = sum(ids.size for ids, _ in batches)
    title = f"Encoder: {len(sequences)} sequences, {count} tokens ({100 * (padded / count - 1):.1f} % more with padding)"
    return compare(title, peers, count, "tokens", a.rounds, keep)


class OnGpu:
    """PyTorch on all batches, several times; seconds of one pass."""
    PASSES = 5

    def __init__(self, tensors, dtype, bring_back):
        self.encoder, self.tensors, self.bring_back = load_encoder().to("cuda", dtype), tensors, bring_back
        self()

    @torch.no_grad()
    def __call__(self):
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(self.PASSES):
            for ids, mask in self.tensors:
                states = self.encoder(ids.to("cuda", non_blocking=True), mask.to("cuda", non_blocking=True))
                if self.bring_back:
                    states.float().cpu()
        torch.cuda.synchronize()
        return (time.perf_counter() - began) / self.PASSES


def on_gpu(a, rows, keep):
    sequences = [ids for row in rows for ids in row["windows"]]
    batches = padded_batches(sequences, a.batch_tokens)
    tensors = [(torch.from_numpy(ids).pin_memory(), torch.from_numpy(mask).pin_memory()) for ids, mask in batches]
    peers = {f"jianbao {dtype}": Jianbao(a, "encoder", dtype, device="cuda", seconds=1) for dtype in ("f16", "bf16")}
    for name, dtype in (("bf16", torch.bfloat16), ("f16", torch.float16)):
        peers[f"PyTorch {name}, states brought back"] = OnGpu(tensors, dtype, True)
        peers[f"PyTorch {name}, states left there"] = OnGpu(tensors, dtype, False)
    count, padded = sum(map(len, sequences)), sum(ids.size for ids, _ in batches)
    title = f"Encoder on {torch.cuda.get_device_name()}: {len(sequences)} sequences, {count} tokens ({100 * (padded / count - 1):.1f} % more with padding)"
    return compare(title, peers, count, "tokens", a.rounds, keep)


def end_to_end(a, rows, run, folder, keep):
    articles = [dict(title=row.get("title", ""), text=row["text"]) for row in rows]
    count = max(1, len(articles) // a.block)
    size = len(articles) // count
    blocks = [articles[i * size:(i + 1) * size] for i in range(count)]
    pipeline = PythonPipeline(run, a.batch_tokens)
    pipeline(blocks[0][:4])
    peers = {"jianbao": over(blocks, Batch(a, folder)), "Python pipeline (ONNX Runtime int8)": over(blocks, pipeline)}
    chars = sum(len(article["text"]) for block in blocks for article in block)
    title = f"End to end: {count} blocks of {size} articles, {chars} characters in all"
    return compare(title, peers, size, "articles", count, keep)


if __name__ == "__main__":
    main()
