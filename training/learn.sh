#!/usr/bin/env bash
# The encoder and its heads from WORK/pack.npz and the base weights: WORK/fitted.safetensors. Twenty minutes on one H200
# before `anchored` and what follows it, which have run on two cores only.
#   training/learn.sh WORK TOOLS       TOOLS: the folder with score_extracts.py
# Needs nothing else of `train.sh`: on a lent GPU, this repository, pack.npz, pack.json and base.safetensors are enough.
# Without a GPU the schedules are cut to MINUTES each (default 90), and one teacher has to do: some ten hours on two cores.
set -euo pipefail
work=$(cd "$1" && pwd)
tools=$(cd "$2" && pwd)
cd "$(dirname "$0")"
python=${PYTHON:-python3}
tokenizer=../models/news/tokenizer.json
base=$work/base/base.safetensors
limit=() teachers="1 2 3" together=true
if ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    limit=(--minutes "${MINUTES:-90}") teachers="1" together=false
fi

# Each stage writes its file at its end: an interrupted run goes on with the stage that was not finished.
language() { # layers, those of the base that are kept, epochs
    [ -f "$work/language$1.safetensors" ] || "$python" -m jianbao_training.language "$work/pack.npz" "$work/language$1.safetensors" \
        --start "$base" --tokenizer "$tokenizer" --keep "$2" --epochs "$3" "${limit[@]}" 2>&1 | tee "$work/language$1.log"
}
joint() { # name, start, other options
    local name=$1 start=$2
    shift 2
    [ -f "$work/$name.safetensors" ] || "$python" -m jianbao_training.joint "$work/pack.npz" "$work/$name.safetensors" \
        --start "$work/$start.safetensors" --tokenizer "$tokenizer" --tools "$tools" "${limit[@]}" "$@" 2>&1 | tee "$work/$name.log"
}
sectors() { # name, other options: sectors once more, by labels
    local name=$1
    shift
    [ -f "$work/$name.safetensors" ] || "$python" -m jianbao_training.anchored "$work/pack.npz" "$work/$name.safetensors" \
        --start "$work/learnt.safetensors" --tokenizer "$tokenizer" "${limit[@]}" "$@" 2>&1 | tee "$work/$name.log"
}
# A GPU has room for several at once; two cores have not.
both() { if $together; then "$@" & else "$@"; fi; }

both language 6 0,1,2,3,4,5 9
both language 4 0,1,2,5 11
wait
for seed in $teachers; do
    both joint "teacher$seed" language6 --epochs 3.4 --seed "$seed"
done
wait
states=()
for seed in $teachers; do
    states+=("$work/teacher$seed.state.pt")
done
joint learnt language4 --keep 0,1,2,3 --epochs 5.4 --peak 2.5e-4 --teachers "${states[@]}"
if [ ! -f "$work/anchored.safetensors" ]; then
    "$python" -m jianbao_training.sectors "$work/pack.npz" "$work/learnt.safetensors" "$work"/teacher[0-9].safetensors --tokenizer "$tokenizer"
fi
# Held by what the other heads read, and without an anchor: the mean of both, two fifths of the free one, has better sectors
# than either. Then the other heads once more.
sectors anchored
sectors free --anchor 0
[ -f "$work/mean.safetensors" ] || "$python" -m jianbao_training.mean "$work/mean.safetensors" \
    "$work/anchored.safetensors" "$work/free.safetensors" --share 0.4
joint fitted mean --keep 0,1,2,3 --epochs 1 --peak 0 --heads-peak 2e-4 --noisy 0.4
