/* SPDX-License-Identifier: Apache-2.0 */
#include <glib.h>

#include "base/log.h"
#include "virtio/net_slirp.h"

/* libslirp reports through glib, which by default writes to stderr and, for errors, ends the process. */
static void on_glib_log(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer arg)
{
	(void)domain;
	(void)level;
	(void)arg;
	sk_log(SK_LOG_DEBUG, "libslirp: %s", message);
}

static GOnce log_once = G_ONCE_INIT;

static gpointer set_log_handler(gpointer arg)
{
	(void)arg;
	g_log_set_handler("Slirp", G_LOG_LEVEL_MASK, on_glib_log, NULL);
	return NULL;
}

void net_slirp_log(void)
{
	g_once(&log_once, set_log_handler, NULL);
}
