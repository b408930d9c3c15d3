# Continues from each dumped stage of a folder: all must end in the same launches.
set -eu
launches() { sed -n '/^entry/,$p' "$1" | sed 's, *//.*,,'; }
for file in "$1"/0[1-8]-*.mlir; do
  stage=$(basename "$file" .mlir)
  stage=${stage#*-}
  momc emit "$file" --start-from "$stage" --stage table -o "$1/$stage.table"
  diff <(launches "$1/mom.table") <(launches "$1/$stage.table")
done
launches "$1/mom.table" | grep -q mamba.backward
