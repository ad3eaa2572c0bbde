/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

int main(int argc, char **argv)
{
	sk_posix_main(&argc, &argv);
	return sk_cli_main(argc, argv);
}
