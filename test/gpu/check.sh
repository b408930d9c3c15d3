#!/bin/bash
# The GPU suite as one command.
#
#   test/gpu/check.sh [option ...]                where there is a GPU: makes a bundle and runs it
#   test/gpu/check.sh --bundle DIR [option ...]   on any machine with the build: makes a bundle
#   DIR/check.sh [option ...]                     anywhere with a driver: runs it, without LLVM
#
# To make:  --target sm_90a|sm_80|cpu  --build BUILD  --functions PATTERN (of FILE.FUNCTION)
#           --storages f32,bf16,f16  --tokens 0,1,3,129,4097  --steps N  --models NAME,... or none
#           --random N (programs of mom-random, with gradients)
# To run:   --parts ops,models,large,hosts,sanitizer  --select NAME,...  --sizes SIZE,...  --jobs N
#           --seconds N (a check)  --large-rows N
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bundle='' target=sm_90a build='' functions=. storages=f32,bf16,f16 tokens=0,1,3,129,4097 steps=50
models=mixture-of-mamba,dense-mamba random=40 parts=ops,models,large,hosts,sanitizer
run=()
usage() { sed -n '2,14s/^# \{0,1\}//p' "$0"; }
while (($#)); do
  [[ $1 != -h && $1 != --help ]] || { usage; exit 0; }
  (($# > 1)) || { echo "check.sh: $1 needs a value" >&2; exit 2; }
  case $1 in
    --bundle | --target | --build | --functions | --storages | --tokens | --steps | --models | --random | --parts)
      declare "${1#--}=$2" ;;
    --select | --sizes | --jobs | --seconds | --large-rows) run+=("$1" "$2") ;;
    *) usage >&2; exit 2 ;;
  esac
  shift 2
done

# Where a program was compiled for a function, and where not, FOLDER/objects says.
check_function() { # FILE FUNCTION
  local name how=(--storage="$storages" --tokens="$tokens")
  name=$(basename "$1" .mlir).$2
  case $1 in
    */products-convolved.mlir) how=(--storage=bf16,f16 --tokens="$tokens" --fuse=2) ;;
    */large.mlir) how=(--storage=bf16 --tokens=0 --fuse=0) ;; # every op stores its rows
    */random-*.mlir) how=(--storage=f32,bf16 --tokens=1,129) ;; # f16 overflows in some
    */scan-pieces.mlir) how+=(--knob=piece=32 --knob=fill=1000000) ;;
    *-narrow.mlir | */products-tma.mlir | */scan-tensor.mlir) how=(--storage=bf16 --tokens="$tokens") ;; # its kernels say what is stored
  esac
  mom-compare "$1" --bundle="$work" --function="$2" --target="$target" "${how[@]}" \
    >"$work/logs/$name" 2>&1 ||
    { echo "not made: $name: $(grep -m1 error "$work/logs/$name" || echo no message)" | tee -a "$work/broken"; }
}

check_model() { # NAME STORAGE [OPTION]
  local file=$repo/examples/$1.mom name=model.$1${3:+-${3//[-=]/}}.$2
  local options=(--set D=64 --set depth=2 --storage "$2" ${3:+"$3"})
  momc compile "$file" "${options[@]}" --entry gradient --entry update --target "$target" \
    --name "$(tr .- __ <<<"$name")" -o "$work/objects/$name.o" >"$work/logs/$name" 2>&1 &&
    momc train "$file" "${options[@]}" --data "$work/cases/tokens.safetensors" --steps "$steps" \
      --seed 3 --save-every 0 --eval-every 0 --out "$work/run.$name" >>"$work/logs/$name" 2>&1 &&
    sed -n 's/.*"kind":"train".*"loss":{"[a-z]*":\([^},]*\).*/\1/p' "$work/run.$name/log.jsonl" \
      >"$work/cases/$name.losses" || {
    rm -f "$work/objects/$name.o"
    echo "not made: $name: $(grep -m1 error "$work/logs/$name" || echo no message)" | tee -a "$work/broken"
  }
}

# A program in C of examples/embed with its model, as it wants it: HOST MODEL OPTION...
make_host() {
  local host=$1 name=$2 cc
  cc=$(compiler_of C)
  shift 2
  momc compile "$repo/examples/mixture-of-mamba.mom" --set D=16 --set depth=2 --name "$name" \
    --target "$target" "$@" -o "$work/$name.o" >"$work/logs/$host" 2>&1 &&
    "$cc" -O1 -s -I "$work" -I "$repo/runtime/include" \
      -c "$repo/examples/embed/$host.c" -o "$work/$host.o" >>"$work/logs/$host" 2>&1 &&
    "$cxx" -s "$work/$host.o" "$work/$name.o" "$build/runtime/libmomrt.a" -static-libstdc++ \
      -static-libgcc -pthread -ldl -lm -o "$work/host-$host" >>"$work/logs/$host" 2>&1 &&
    gzip -9 "$work/host-$host" && mv "$work/host-$host.gz" "$dir" ||
    echo "not made: host.$host: $(grep -m1 error "$work/logs/$host" || echo no message)" | tee -a "$work/broken"
}

make_one() { if [[ $1 == */* ]]; then check_function "$@"; else check_model "$@"; fi; }

# The compiler that the build has for C or CXX.
compiler_of() {
  sed -n "s/^set(CMAKE_$1_COMPILER \"\(.*\)\")/\1/p" "$build"/CMakeFiles/*/CMake$1Compiler.cmake
}

# The runner with the programs of all object files.
link_runner() {
  local object name
  cxx=$(compiler_of CXX)
  {
    echo '#include "test/gpu/Suite.h"'
    for object in "$work"/objects/*.o; do
      name=$(basename "$object" .o)
      echo "extern \"C\" const momrt_program momc_program_$(tr .- __ <<<"$name");"
    done
    echo 'const suite::Program suite::programs[] = {'
    for object in "$work"/objects/*.o; do
      name=$(basename "$object" .o)
      IFS=. read -r file function storage <<<"$name"
      echo "    {\"$file\", \"$function\", \"$storage\", &momc_program_$(tr .- __ <<<"$name")},"
    done
    echo '};'
    echo 'const size_t suite::programCount = sizeof programs / sizeof programs[0];'
  } >"$work/programs.cpp"
  # Of shared libraries it wants the C library's only.
  "$cxx" -std=c++17 -O1 -s -I "$repo" -I "$repo/runtime/include" "$work/programs.cpp" \
    "$work"/objects/*.o "$build/test/gpu/libmomc-suite.a" "$build/runtime/libmomrt.a" \
    -static-libstdc++ -static-libgcc -pthread -ldl -lm -o "$1"
}

make_bundle() { # DIR
  repo=$(cd "$here/../.." && pwd)
  build=${build:-$repo/build}
  [[ -x $build/bin/mom-compare && -f $build/test/gpu/libmomc-suite.a ]] || {
    echo "check.sh: no mom-compare, momc and momc-suite in $build: build them, or say --build" >&2
    exit 2
  }
  local begin=$SECONDS file function model option storage
  mkdir -p "$1"
  dir=$(cd "$1" && pwd)
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work"/{objects,cases,logs}
  export PATH=$build/bin:$PATH work target storages tokens steps repo
  export -f make_one check_function check_model
  /usr/bin/python3 "$here/tokens.py" "$work/cases/tokens.safetensors" 1280
  {
    for model in $([[ $models == none ]] || tr , ' ' <<<"$models"); do
      for storage in f32 bf16; do echo "$model $storage"; done
      [[ $target == cpu ]] || for option in --fuse=2 --recompute=2 --recompute=3; do
        echo "$model bf16 $option"
      done
    done
    for ((seed = 1; seed <= random; ++seed)); do
      mom-random --print-joint --count=1 --seed=$seed --statements=8 >"$work/random-$seed.mlir"
      [[ random-$seed.program_$seed =~ $functions ]] && echo "$work/random-$seed.mlir program_$seed" || true
    done
    for file in "$repo"/test/e2e/ops/*.mlir "$here/large.mlir"; do
      [[ $file == */scan-gpu.mlir ]] && continue # scan.mlir's cases under other schedules
      [[ $file != */unsupported.mlir ]] || continue
      # Kernels with a schedule for GPUs are for GPUs.
      [[ $target != cpu ]] || grep '^// RUN: mom-compare' "$file" | grep -qv -e --target || continue
      sed -n 's/^func\.func @\([A-Za-z0-9_]*\).*/\1/p' "$file" | while read -r function; do
        [[ $(basename "$file" .mlir).$function =~ $functions ]] && echo "$file $function" || true
      done
    done
  } | xargs -P "$(nproc)" -L 1 bash -c 'make_one "$@"' make_one
  rm -rf "$dir/cases" "$dir"/runner* "$dir"/host-* "$dir/broken"
  link_runner "$work/runner"
  make_host train mixture
  make_host generate counter --entry gradient --entry update --entry next
  gzip -9 "$work/runner" # PTX and cubins of similar kernels: a quarter is left
  mv "$work/runner.gz" "$work/cases" "$dir"
  [[ ! -f $work/broken ]] || mv "$work/broken" "$dir"
  cp "$here/check.sh" "$dir"
  echo "$dir: $(ls "$work/objects" | wc -l) programs for $target, $(du -sm "$dir" | cut -f 1) MB, in $((SECONDS - begin)) s"
}

# Programs that one another's mistakes would not hide, on few rows: the tools are slow.
sanitized=conv.states_17_4.bf16,conv.sorted.f32,scan.states_3_2.f32,scan.gradients_40_16.bf16,products.ends.bf16
sanitized+=,products.routed_33_65.f32,rows.norm_40.bf16,rows.sums_17.f32,rows.embedding_50_33.f32,rows.loss_37.bf16
sanitized+=,pointwise.unary_7.bf16,static.adamw.f32,routes.plan_5_of_2.f32,routes.experts_8_of_2.f32

# Says how a check went: its exit status, what to say of it if that is 0, and if not.
report() {
  if (($1 == 0)); then
    echo "ok     $2"
  else
    echo "FAILED $3"
    failed=1
  fi
}

# Each learns to count, and says so by its status or its losses.
check_hosts() {
  local file host status last
  for file in "$here"/host-*.gz; do
    host=$(basename "$file" .gz) status=0
    gunzip -c "$file" >"$log.host"
    chmod +x "$log.host"
    timeout 60 "$log.host" >"$log" 2>&1 || status=$?
    last=$(tail -n 1 "$log")
    report "$status" "${host/-/.} $last" "${host/-/.} status $status: $last"
  done
}

check_sanitizer() {
  local tool begin status sanitizer
  sanitizer=$(PATH=$PATH:/usr/local/cuda/bin command -v compute-sanitizer) || {
    echo "skipped compute-sanitizer is not there"
    return 0
  }
  for tool in memcheck racecheck; do
    begin=$SECONDS status=0
    timeout 150 "$sanitizer" --tool "$tool" --error-exitcode 9 "$runner" --folder "$here" --jobs 0 \
      --parts ops --sizes 3,60-one-group,static --select "$sanitized" >"$log" 2>&1 || status=$?
    report "$status" "compute-sanitizer $tool, $(grep -c '^ok' "$log") checks, $((SECONDS - begin)) s" \
      "compute-sanitizer $tool, status $status: $(grep -m1 -E '^=========.*(Error|hazard|Invalid)|^FAILED' "$log")"
  done
}

run_bundle() {
  failed=0
  log=$(mktemp)
  runner=$here/runner
  trap 'rm -f "$log" "$log.runner" "$log.host"' EXIT
  if [[ ! -x $runner ]]; then
    [[ -w $here ]] || runner=$log.runner
    gunzip -c "$here/runner.gz" >"$runner"
    chmod +x "$runner"
  fi
  if [[ -f $here/broken ]]; then
    sed 's/^not made:/FAILED/' "$here/broken"
    failed=1
  fi
  local own=${parts//sanitizer/}
  own=${own//hosts/}
  if [[ $own =~ [a-z] ]]; then
    "$runner" --folder "$here" --parts "$own" "${run[@]}" || failed=1
  fi
  if [[ ,$parts, == *,hosts,* ]]; then check_hosts; fi
  if [[ ,$parts, == *,sanitizer,* ]]; then check_sanitizer; fi
  exit $failed
}

if [[ -n $bundle ]]; then
  make_bundle "$bundle"
elif [[ -f $here/runner.gz ]]; then
  run_bundle
else
  make_bundle "${build:-$here/../../build}/gpu-suite"
  rm -rf "$work" # exec runs no trap
  exec "$dir/check.sh" --parts "$parts" "${run[@]}"
fi
