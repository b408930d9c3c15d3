#!/bin/bash
# From nothing to two trained models on a bare Debian 12 machine: installs
# packages, builds momc, builds a small corpus of text, pictures and speech,
# trains Mixture-of-Mamba and dense Mamba on the CPU and draws their losses.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '\n== %s\n' "$*"; }
begin=$SECONDS
steps=${1:-300}
out=build/quickstart

examples/build.sh momc
say "Preparing the corpus (build/corpus)"
/usr/bin/python3 examples/data/corpus.py --out build/corpus --size small

for model in mixture-of-mamba dense-mamba; do
  say "Training $model for $steps steps ($out/$model)"
  build/bin/momc train examples/$model.mom --data build/corpus --steps "$steps" --seed 7 \
    --eval-every 25 --save-every 50 --out "$out/$model" --resume
done

for model in mixture-of-mamba dense-mamba; do
  say "$model on held-out emoji (bits are a token's)"
  build/bin/momc eval examples/$model.mom --data build/corpus --checkpoint "$out/$model"
done

say "Drawing the losses"
/usr/bin/python3 examples/plot.py "$out"/mixture-of-mamba "$out"/dense-mamba --out "$out/losses.html"
say "Done in $((SECONDS - begin)) s: open $out/losses.html"
