"""The mean of the weights of two models that began as one: what `joint` or `anchored` made of one start.

usage: python -m jianbao_training.mean OUT.safetensors A.safetensors B.safetensors [--share S]

S (default 0.5) is the second model's. Heads that read in context, in a file of their own beside each or among its tensors, are averaged
likewise. Standardisation is folded into what is stored (`exported`), so a mean of stored weights is one of what is computed.
"""

import argparse
import pathlib

from safetensors.torch import save_file

from .joint import finished, save_context

CONTEXT = "head.context."


def mean(first, second, share):
    assert first.keys() == second.keys(), sorted(first.keys() ^ second.keys())
    return {name: first[name].float().lerp(second[name].float().reshape(first[name].shape), share).contiguous() for name in first}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out", type=pathlib.Path)
    options.add_argument("models", type=pathlib.Path, nargs=2)
    options.add_argument("--share", type=float, default=0.5, help="of the second model")
    a = options.parse_args()
    tensors = mean(*map(finished, a.models), a.share)
    save_context({k: v for k, v in tensors.items() if k.startswith(CONTEXT)}, a.out)
    save_file({k: v for k, v in tensors.items() if not k.startswith(CONTEXT)}, a.out)


if __name__ == "__main__":
    main()
