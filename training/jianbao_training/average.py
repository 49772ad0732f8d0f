"""The mean of the weights of models that learnt on from one start by different ways: better than each, and than their votes.

usage: python -m jianbao_training.average OUT.safetensors MODEL.safetensors MODEL.safetensors …

(Wortsman et al. 2022, "Model soups", arXiv:2203.05482.) All must have the same tensors.
"""

import sys

from safetensors.torch import load_file, save_file


def mean(models):
    names = set(models[0])
    assert all(set(model) == names for model in models), "models of different kinds have no mean"
    return {name: (sum(model[name].double() for model in models) / len(models)).to(models[0][name].dtype).contiguous() for name in names}


def main():
    out, *paths = sys.argv[1:]
    save_file(mean([load_file(path) for path in paths]), out)


if __name__ == "__main__":
    main()
