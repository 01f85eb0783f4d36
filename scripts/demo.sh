#!/usr/bin/env bash
# Builds the first example twice. usage: demo.sh PJ
set -euo pipefail
cd "$(dirname "$0")/.."
pj=${1:?usage: demo.sh PJ}
recipe=examples/nano-qwen3moe
export PJ_CACHE_DIR=$PWD/bin/demo-cache
rm -rf "$PJ_CACHE_DIR" "$recipe"/*.gguf "$recipe/report"

run() {
	printf '\n$ pj %s\n' "$*"
	"$pj" "$@"
}
run plan "$recipe"
run build "$recipe"
run build "$recipe"
cat <<END

The recipe is $recipe/recipe.hcl, the page of the report $recipe/report/report.html.
Change a rule and build again: only the tensors that it decides on are made anew.
END
