# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash

# slow SECONDS: what takes that long on an emulated processor, beside other cases, too.
slow() { if [ "${SKERRY_ENGINE:-}" = tcg ]; then echo $(($1 * 10)); else echo "$1"; fi; }
