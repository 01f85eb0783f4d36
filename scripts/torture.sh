#!/usr/bin/env bash
# Kills builds at random moments, one after the other on one cache, until TIMES
# were killed, then lets one finish: its files have to be those of a build that
# was never disturbed, and the cache sound. usage: torture.sh PJ [TIMES]
set -euo pipefail
cd "$(dirname "$0")/.."
pj=$(realpath "${1:?usage: torture.sh PJ [TIMES]}")
times=${2:-200}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp -R examples/models "$scratch/models"
for name in calm killed; do
	mkdir -p "$scratch/$name"
	cp examples/nano-gptoss/recipe.hcl "$scratch/$name/"
done
cd "$scratch"
sums() { (cd "$1" && find . -name '*.gguf' -print0 | sort -z | xargs -0 sha256sum); }

start=$(date +%s%N)
"$pj" build calm --cache-dir "$scratch/calm-cache" --quiet >/dev/null
whole=$((($(date +%s%N) - start) / 1000000))
sums calm >calm.sums
echo "undisturbed: $whole ms, $(wc -l <calm.sums) files"

killed=0 finished=0 done=
for ((i = 1; killed < times; i++)); do
	if ((i > 10 * times)); then
		echo "only $killed of $i builds could be killed: they end too fast"
		exit 1
	fi
	"$pj" build killed --cache-dir "$scratch/killed-cache" --quiet >/dev/null 2>build.log &
	pid=$!
	# Early moments are as likely as late ones, up to a whole build's time.
	sleep "$(awk -v most="$whole" -v r=$RANDOM 'BEGIN{printf "%.3f", most * r / 32768 / 1000}')"
	kill -9 $pid 2>/dev/null || true
	code=0
	wait $pid 2>/dev/null || code=$?
	case $code in
	137) killed=$((killed + 1)) ;;
	0) finished=$((finished + 1)) done=yes ;;
	*)
		echo "build $i failed with $code:"
		cat build.log
		exit 1
		;;
	esac
	# Whole files only, at every moment.
	for f in killed/*.gguf; do
		[ -e "$f" ] || continue
		if ! (cd killed && grep -F "./$(basename "$f")" ../calm.sums | sha256sum --check --quiet); then
			echo "after build $i, $f is not what it has to be"
			exit 1
		fi
	done
	# A build that came to its end leaves no work: the next begins anew.
	if [ -n "$done" ]; then
		rm -rf killed/*.gguf "$scratch/killed-cache"
		done=
	fi
done
echo "$killed builds killed; $finished came to their end before that, and were begun anew"

"$pj" build killed --cache-dir "$scratch/killed-cache" --quiet >/dev/null
sums killed | diff calm.sums - && echo "the same bytes in the end"
"$pj" build killed --cache-dir "$scratch/killed-cache" --require-cached --quiet >/dev/null
"$pj" cache verify --cache-dir "$scratch/killed-cache"
