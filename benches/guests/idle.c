/* Says that it runs, then waits for its standard input to close, so that its
 * memory can be looked at from outside. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	char byte;

	if (puts("ready") < 0 || fflush(stdout) != 0)
		return 1;
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
