#!/bin/sh
# Installs planc without a container, from a git address or from a folder:
#
#   PLANC_SOURCE=https://git.example.org/planc sh install.sh
#
# PLANC_REV chooses a revision, PLANC_ROOT the folder whose bin/ receives the program. Needs cargo
# and a C compiler; libraries that are not Rust are built in.
set -eu
: "${PLANC_SOURCE:?name the git address or the folder of planc}"
if [ -d "$PLANC_SOURCE" ]; then
  set -- --path "$PLANC_SOURCE"
else
  set -- --git "$PLANC_SOURCE" ${PLANC_REV:+--rev "$PLANC_REV"} planc
fi
exec cargo install --locked ${PLANC_ROOT:+--root "$PLANC_ROOT"} "$@"
