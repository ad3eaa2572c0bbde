/* SPDX-License-Identifier: Apache-2.0 */
/* udp_echo PORT: sends each datagram back with "echo " in front. A static program, for an image without anything else. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in own = { .sin_family = AF_INET }, from;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char buf[2048] = "echo ";

	own.sin_port = htons((uint16_t)(argc > 1 ? strtoul(argv[1], NULL, 10) : 0));
	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0 || write(1, "up\n", 3) != 3)
		return 1;
	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, buf + 5, sizeof(buf) - 5, 0, (struct sockaddr *)&from, &len);

		if (n < 0 || sendto(fd, buf, (size_t)n + 5, 0, (struct sockaddr *)&from, len) < 0)
			return 1;
	}
}
