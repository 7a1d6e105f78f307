/* The smallest ordinary program: what its start to its exit costs is what the
 * runner costs. */
#include <stdio.h>

int main(void)
{
	return puts("hello") < 0;
}
