/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_PROTO_WIRE_H
#define SK_PROTO_WIRE_H

/* What both ends of docs/protocols.md have to agree on besides the messages themselves. */

/* Version of the protocol between monitor and agent. It changes when an older peer would misunderstand a newer one; a
 * new operation or field alone does not change it, since both sides ignore what they do not know. */
#define SK_PROTOCOL_VERSION 1

/* Host ports that the guest connects to (vsock, or its substitute). */
#define SK_PORT_CONTROL 1024u  /* the agent's control channel, once */
#define SK_PORT_STREAM 1025u   /* one connection for each stream; starts with a token */
#define SK_PORT_DNS 1026u      /* one connection for each of TCP to 127.0.0.11 */
#define SK_PORT_SERVICES 1027u /* one connection for each use of a host service; starts with a token */
#define SK_PORT_DNS_DATAGRAM \
	1028u /* one for each question over UDP to 127.0.0.11; its length in 2 bytes in front, as over TCP */

/* Where a container finds the host's services, as unix sockets; and their names there. */
#define SK_SERVICES_DIR "/run/host-services"
#define SK_SERVICES_CONTROL "control"
#define SK_SERVICES_SSH_AUTH "ssh-auth.sock"

/* Ports of the guest that are published for a service's client: above those that Linux gives out by itself. */
#define SK_SERVICES_PORT_FIRST 61000u
#define SK_SERVICES_PORT_LAST 65535u

#define SK_TOKEN_BYTES 16u		   /* on a stream */
#define SK_TOKEN_HEX (2u * SK_TOKEN_BYTES) /* in a message, without NUL */

#define SK_INIT_KEY "init" /* key of a container's first process */

/* STDIN bytes that a client may send beyond what the monitor has acknowledged. */
#define SK_STDIN_WINDOW (256u * 1024u)

/* Milliseconds that a client waits for a reply before it asks for "info" on another connection, and then for that: as a
 * rule, and with a request that ends the VM. */
#define SK_CLIENT_PATIENCE_MS 10000u
#define SK_CLIENT_END_PATIENCE_MS 4000u

#endif
