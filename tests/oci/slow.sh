# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash

# slow SECONDS: what takes that long on an emulated processor (the guest's, or with SKERRY_EMULATED this machine's), beside other cases, too.
slow() { if [ "${SKERRY_ENGINE:-}" = tcg ] || [ -n "${SKERRY_EMULATED:-}" ]; then echo $(($1 * 10)); else echo "$1"; fi; }
