#!/usr/bin/env bash
# Makes the repository of the module in a folder: the same commit every time, so
# that pj.lock.hcl fits. usage: publish.sh FOLDER
set -euo pipefail
repository=${1:?usage: publish.sh FOLDER}
here=$(cd "$(dirname "$0")" && pwd)
# Nothing of this machine's configuration may change the commit.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=Recipes GIT_AUTHOR_EMAIL=recipes@example.org GIT_AUTHOR_DATE='2026-01-01T00:00:00Z'
export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
git -c init.defaultBranch=main init --quiet --object-format=sha1 "$repository"
cp -R "$here/module/." "$repository"
cd "$repository"
find . -path ./.git -prune -o -type f -exec chmod 644 {} +
git add --all
git commit --quiet --message "Mixtures of experts"
git tag v1.0.0
