#!/usr/bin/env bash
# What a change to a recipe has to pass. usage: ci.sh check|build|verify [RECIPE]
#
#   check   the recipe's layout and meaning; needs neither models nor network
#   build   everything that is not in the cache; the lock file must fit
#   verify  like build, but nothing may have to run: what a cache was filled with
#           is complete, and the recipe is the one that filled it
#
# Exit codes are pj's: 1 the work failed or a file is not formatted, 2 the recipe
# is wrong, 3 a threshold was missed, 4 the lock file or the cache does not fit.
set -euo pipefail
mode=${1:?usage: ci.sh check|build|verify [RECIPE]}
recipe=${2:-$(dirname "$0")/recipe.hcl}
pj=${PJ:-pj}

case $mode in
check)
	"$pj" fmt --check --diff "$recipe"
	"$pj" validate "$recipe"
	;;
build)
	"$pj" plan --frozen "$recipe" # for people who read the log
	"$pj" build --frozen --json "$recipe" >"$(dirname "$recipe")/build.json"
	;;
verify)
	"$pj" build --frozen --require-cached --json "$recipe" >"$(dirname "$recipe")/build.json"
	;;
*)
	echo "ci.sh: unknown mode $mode" >&2
	exit 2
	;;
esac
