#include <stdio.h>

int main(void)
{
	puts("rung " RUNG_VERSION);
	return 0;
}
