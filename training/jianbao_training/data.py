"""Reading `../shared/data`. Reserved articles are never opened here."""

import gzip
import hashlib
import json
import pathlib
import unicodedata

SECTORS = ("politics law economy finance industry agriculture trade energy transport construction technology "
           "education health society culture sports environment military international disaster other").split()
SECTOR_INDEX = {k: i for i, k in enumerate(SECTORS)}


def rows(path):
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf8") as lines:
        return [json.loads(line) for line in lines]


ROOT = pathlib.Path(__file__).resolve().parents[2]
OWN_LABELS = ROOT / "training/labels/articles.jsonl"
# The n-gram table was fitted to the sectors of the first so many of them: what it says of the others, it says of articles that
# it has not seen.
LABELS_FOR_NGRAMS = 5339
UNTITLED_SHARE = 3        # every so many articles can be read without its title
TRADITIONAL = ROOT / "prompts/traditional.txt"


def own_labels(for_ngrams=False):
    """Our own labels: all, or those that the n-gram table is fitted to."""
    return rows(OWN_LABELS)[:LABELS_FOR_NGRAMS if for_ngrams else None]


def own_extracts(news):
    """Our own labels in the form of `extracts/train.jsonl`; `also` names sentences that could have been taken."""
    out = {}
    for r in own_labels():
        cut = [news[r["id"]]["text"][a:b] for a, b in r["sum"] + r["also"]]
        chosen = len(r["sum"])
        out[r["id"]] = dict(id=r["id"], sentences=cut, sum=list(range(chosen)), also=list(range(chosen, len(cut))), kw=r["kw"])
    return out


def sector_labels(shared_data, for_ngrams=False):
    """{id: {sector, also}} of the training articles; our own labels read the whole article, so they win."""
    labels = {r["id"]: r for r in rows(shared_data / "sectors/train.jsonl")}
    labels |= {r["id"]: dict(id=r["id"], sector=r["sector"], also=r["sector_also"]) for r in own_labels(for_ngrams)}
    return labels


def simplified_to_traditional():
    """A table for `str.translate`, from the one that the program folds by."""
    table = {}
    for line in TRADITIONAL.read_text(encoding="utf8").splitlines():
        if not line.startswith("#"):
            for k in range(0, len(line) - 1, 2):
                table.setdefault(ord(line[k + 1]), line[k])
    return table


def _lot(article):
    return int(hashlib.sha256(article["id"].encode()).hexdigest(), 16)


def for_repair(article):
    """One article in seven: kept from the table of seams and the headline trees, since the trees of repair, which read
    what they say, are trained on its pages. (The tables of borders and the encoder read all articles.)"""
    return _lot(article) % 7 == 0


def held_out(article):
    """Of those, one in eight: for what the trees of repair are worth on articles they have not seen."""
    return _lot(article) // 7 % 8 == 0


def from_newspaper(article):
    """From People's Daily: the only source here that is printed."""
    return article["id"].startswith("rmrb")


def fold(text):
    """Full-width letters and digits to half-width; the Rust side does this and more (`text/fold.rs`)."""
    return "".join(unicodedata.normalize("NFKC", c) if "０" <= c <= "ｚ" and c.isalnum() else c for c in text)


def soft_sector(row, share=0.2):
    """Label distribution of one hand-labelled article: the secondaries share `share` of the mass."""
    target = [0.0] * len(SECTORS)
    also = [s for s in row["also"] if s in SECTOR_INDEX]
    given = share if also else 0.0
    target[SECTOR_INDEX[row["sector"]]] = 1.0 - given
    for s in also:
        target[SECTOR_INDEX[s]] += given / len(also)
    return target
