/* SPDX-License-Identifier: Apache-2.0 */
// PID 1 of the wake-up test: says \001 on the console when ready, then sends back each byte.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <termios.h>
#include <unistd.h>

int main(void)
{
	struct termios raw;
	char byte;
	int fd;

	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	fd = open("/dev/console", O_RDWR);
	if (fd < 0)
		fd = 0;
	tcgetattr(fd, &raw);
	cfmakeraw(&raw);
	tcsetattr(fd, TCSANOW, &raw);

	if (write(fd, "\001", 1) == 1)
		while (read(fd, &byte, 1) == 1 && byte != 'q' && write(fd, &byte, 1) == 1)
			;
	reboot(RB_POWER_OFF);
	return 1;
}
