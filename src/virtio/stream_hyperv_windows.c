/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams of a guest over Hyper-V's sockets (AF_HYPERV): the guest's vsock port is a service, whose GUID has the port's
 * number in it ("Make your own integration services", Microsoft). A listener is bound to the one VM: no other guest
 * reaches it. Who may listen and connect is in the VM's own description (hcs_document.c).
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "virtio/stream_kinds.h"

#include <hvsocket.h>

#ifndef AF_HYPERV
#define AF_HYPERV 34 /* mingw-w64 has the addresses, but not the number */
#endif
#define BACKLOG 64

/* "PPPPPPPP-facb-11e6-bd58-64006a7986d3" */
static GUID service(uint32_t port)
{
	return (GUID){ port, 0xfacb, 0x11e6, { 0xbd, 0x58, 0x64, 0x00, 0x6a, 0x79, 0x86, 0xd3 } };
}

static int parse_guid(const char *text, GUID *ret)
{
	unsigned b[8], one, i;
	unsigned short two, three;
	int end = 0;

	if (sscanf(text, "%8x-%4hx-%4hx-%2x%2x-%2x%2x%2x%2x%2x%2x%n", &one, &two, &three, &b[0], &b[1], &b[2], &b[3],
		   &b[4], &b[5], &b[6], &b[7], &end) != 11 ||
	    text[end])
		return -EINVAL;
	*ret = (GUID){ .Data1 = one, .Data2 = two, .Data3 = three };
	for (i = 0; i < 8; i++)
		ret->Data4[i] = (unsigned char)b[i];
	return 0;
}

/* A socket, and the address of `port` of the VM. -errno. */
static int prepare(const char *vm, uint32_t port, SOCKADDR_HV *ret)
{
	int fd, r;

	*ret = (SOCKADDR_HV){ .Family = AF_HYPERV, .ServiceId = service(port) };
	r = parse_guid(vm, &ret->VmId);
	if (r < 0)
		return r;
	fd = socket(AF_HYPERV, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, HV_PROTOCOL_RAW);
	return fd < 0 ? -errno : fd;
}

static int hyperv_listen(void *arg, uint32_t port)
{
	SOCKADDR_HV address;
	_cleanup_fd_ int fd = prepare(arg, port, &address);

	if (fd < 0)
		return fd;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return SK_TAKE_FD(fd);
}

static int hyperv_connect(void *arg, uint32_t port)
{
	SOCKADDR_HV address;
	_cleanup_fd_ int fd = prepare(arg, port, &address);

	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 && errno != EINPROGRESS && errno != EAGAIN)
		return -errno;
	return SK_TAKE_FD(fd);
}

const struct sk_socket_kind sk_socket_hyperv = { .listener = hyperv_listen, .dial = hyperv_connect };
