/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the process that holds a port that cannot be published: from the system's tables of sockets. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/platform/windows/system.h"
#include "virtio/net_internal.h"

#include <iphlpapi.h>

#define TABLE_TRIES 4

/* malloc'd; NULL: it cannot be had. Tables grow between two calls. */
static void *get_table(bool udp)
{
	ULONG size = 16384;
	int i;

	for (i = 0; i < TABLE_TRIES; i++) {
		void *table = malloc(size);
		DWORD r = !table ? ERROR_OUTOFMEMORY
			  : udp	 ? GetExtendedUdpTable(table, &size, FALSE, AF_INET, UDP_TABLE_OWNER_PID, 0)
				 : GetExtendedTcpTable(table, &size, FALSE, AF_INET, TCP_TABLE_OWNER_PID_LISTENER, 0);

		if (r == NO_ERROR)
			return table;
		free(table);
		if (r != ERROR_INSUFFICIENT_BUFFER)
			break;
	}
	return NULL;
}

/* Of the socket of IPv4 that has the port; 0: none, or not known. */
static DWORD find_process(uint16_t port, bool udp)
{
	_cleanup_free_ void *table = get_table(udp);
	const MIB_TCPTABLE_OWNER_PID *tcp = table;
	const MIB_UDPTABLE_OWNER_PID *datagrams = table;
	DWORD i;

	for (i = 0; table && udp && i < datagrams->dwNumEntries; i++)
		if (ntohs((uint16_t)datagrams->table[i].dwLocalPort) == port)
			return datagrams->table[i].dwOwningPid;
	for (i = 0; table && !udp && i < tcp->dwNumEntries; i++)
		if (ntohs((uint16_t)tcp->table[i].dwLocalPort) == port)
			return tcp->table[i].dwOwningPid;
	return 0;
}

void net_port_hint(int error, uint16_t port, bool udp, char *buf, size_t size)
{
	DWORD pid = error == EADDRINUSE || error == EACCES ? find_process(port, udp) : 0;

	*buf = '\0';
	if (pid)
		snprintf(buf, size, " by process %lu", pid);
	else if (error == EACCES)
		snprintf(
			buf, size,
			": another program has it, or Windows keeps it: netsh interface ipv4 show excludedportrange %s",
			udp ? "udp" : "tcp");
}
