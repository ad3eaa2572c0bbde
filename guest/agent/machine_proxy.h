/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_MACHINE_PROXY_H
#define SK_AGENT_MACHINE_PROXY_H

/* `skerry-proxy`, in place of dockerd's docker-proxy: see machine_proxy.c. Returns the exit code. */
int sk_machine_proxy_main(int argc, char **argv);

#endif
