/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_IMAGE_CHANGES_H
#define SK_IMAGE_CHANGES_H

#include <jansson.h>

#include "base/error.h"

/* Applies one Dockerfile line (CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR, HEALTHCHECK, ONBUILD; JSON or shell
 * form) to an image config's "config" object. -EINVAL with err. */
int sk_change_apply(json_t *config, const char *line, struct sk_error *err);

#endif
