#!/usr/bin/env bash
# Measures builds at the size of Qwen3-30B-A3B, on models that scripts/trueshape
# lays out: a cold plan, a build that has nothing to do, and the memory and time
# of quantizing one whole layer. Needs some 6 GB of disk for the layer.
# usage: bench.sh PJ
set -euo pipefail
cd "$(dirname "$0")/.."
pj=$(realpath "${1:?usage: bench.sh PJ}")
scratch=$(mktemp -d "${TMPDIR:-/tmp}/pj-bench-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
go build -o "$scratch/trueshape" ./scripts/trueshape
go build -o "$scratch/fillcache" ./scripts/fillcache
scripts/machine.sh
cd "$scratch"

# field NAME <JSON: the first number of that name.
field() { sed -n "s/.*\"$1\": *\([0-9.e+]*\).*/\1/p" | head -1; }

# times COUNT COMMAND…: milliseconds of each run, sorted.
times() {
	local n=$1 i start
	shift
	for ((i = 0; i < n; i++)); do
		start=$(date +%s%N)
		"$@" >/dev/null 2>>"$scratch/stderr"
		echo $((($(date +%s%N) - start) / 1000000))
	done | sort -n
}
# told WHAT GOAL: the least and the median of the milliseconds on stdin.
told() {
	awk -v what="$1" -v goal="$2" '{t[NR]=$1} END{printf "%-44s %6d ms, median %d ms of %d runs (goal %s)\n", what, t[1], t[int((NR+1)/2)], NR, goal}'
}

recipe() {
	mkdir -p "$1"
	cat >"$1/recipe.hcl" <<-END
		model "m" {
		  source = "model"
		}

		policy "p" {
		  mix = "Q4_K_M"

		  tensor {
		    when = role == "router"
		    type = "INT8"
		  }
		}

		stage "quantize" "q" {
		  model  = model.m
		  policy = policy.p
		}

		artifact "gguf" "g" {
		  from = stage.quantize.q
		  path = "model.gguf"
		}
	END
}

echo
echo "Qwen3-30B-A3B, 18,867 tensors in 16 files of holes:"
recipe whole
./trueshape Qwen3-30B-A3B whole/model >/dev/null
cold() {
	rm -rf "$scratch/cold"
	"$pj" plan --quiet whole --cache-dir "$scratch/cold"
}
times 7 cold | told "pj plan, empty cache" "<= 400 ms"

# Quantizing 61 GB would take long: tensors' blobs are stand-ins.
./fillcache whole/recipe.hcl filled >fill.json
echo "cache filled with stand-ins for $(field executed <fill.json) actions; hashing $(field hashed_bytes <fill.json) bytes of holes took $(field hash_seconds <fill.json) s of the workers' time"
"$pj" build --quiet whole --cache-dir filled >/dev/null 2>>stderr # writes the lock file
nothing() { "$pj" build --quiet --require-cached whole --cache-dir filled; }
times 15 nothing | told "pj build, everything cached and up to date" "<= 100 ms"
warm() { "$pj" plan --quiet whole --cache-dir filled; }
times 7 warm | told "pj plan, everything cached" "-"
"$pj" build --json whole --cache-dir filled 2>>stderr >nothing.json
echo "its peak memory: $(($(field peak_memory_bytes <nothing.json) / 1048576)) MiB"
rm -rf filled cold whole

echo
echo "Qwen3-30B-A3B, the first layer with random weights, to Q4_K_M, 2 workers:"
recipe layer
./trueshape -layers 1 -random Qwen3-30B-A3B layer/model >/dev/null
rss="not measured: there is no /usr/bin/time"
if [ -x /usr/bin/time ]; then
	/usr/bin/time -f %M -o rss "$pj" build -j 2 --json layer --cache-dir layercache 2>>stderr >layer.json
	rss="$(($(cat rss) / 1024)) MiB"
else
	"$pj" build -j 2 --json layer --cache-dir layercache 2>>stderr >layer.json
fi
awk -v s="$(field seconds <layer.json)" -v store="$(field store_seconds <layer.json)" -v hash="$(field hash_seconds <layer.json)" \
	-v bytes="$(field hashed_bytes <layer.json)" -v peak="$(field peak_memory_bytes <layer.json)" -v rss="$rss" 'BEGIN{
	printf "wall time %.1f s, %.1f Mweights/s\n", s, bytes/2/s/1e6
	printf "peak memory %d MiB by pj, %s by time (goal <= 512 MiB)\n", peak/1048576, rss
	printf "of the workers'"'"' time: writing to the cache %.1f %% (goal <= 10 %%), hashing sources %.1f %% (%.2f GB/s a worker)\n",
		100*store/(2*s), 100*hash/(2*s), bytes/hash/1e9
}'
