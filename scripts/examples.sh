#!/usr/bin/env bash
# Checks and builds every example in a copy of examples/, twice: the second time
# nothing may have to run. usage: examples.sh PJ [FOLDER [CACHE]]
# FOLDER keeps the copy with what was built; it must not exist.
set -euo pipefail
pj=$(realpath "${1:?usage: examples.sh PJ [FOLDER [CACHE]]}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
folder=${2:-$scratch/examples}
export PJ_CACHE_DIR=${3:-$scratch/cache} PJ=$pj

cp -R "$(dirname "$0")/../examples" "$folder"
cd "$folder"
find . \( -name '*.gguf' -o -name report \) -prune -exec rm -rf {} +
rm -f from-gguf/pj.lock.hcl # of a build by hand: it pins a file that is not in git

# The made-up address of the shared module leads to a repository made here.
shared-module/publish.sh "$scratch/recipes.git" || exit
export GIT_CONFIG_COUNT=1
export GIT_CONFIG_KEY_0="url.file://$scratch/recipes.git.insteadOf"
export GIT_CONFIG_VALUE_0=https://git.example.org/recipes.git

"$pj" fmt --check --recursive .

# The deepest first: they make what others begin with. Modules are no recipes to
# build.
recipes=$(find . -name recipe.hcl -not -path '*/module/*' | awk -F/ '{print NF, $0}' | sort -k1,1nr -k2 | cut -d' ' -f2)
for recipe in $recipes; do
	project=$(dirname "$recipe")
	echo "== $project"
	frozen=()
	[ ! -f "$project/pj.lock.hcl" ] || frozen=(--frozen)
	"$pj" build "${frozen[@]}" "$project"
	"$pj" validate "$project" # after it: a module is there only once it was fetched
	"$pj" build "${frozen[@]}" --require-cached --quiet "$project"
done
for mode in check build verify; do
	echo "== ci/ci.sh $mode"
	ci/ci.sh $mode
done
