/* A fork server whose workers have no memory at the nth asking: $RUNG_FAIL_MEMORY names a file that holds a struct starve, which the test writes before it
 * takes a worker. */
#include "sandbox/worker/worker.h"

_Noreturn void worker_main_real(int fd, const struct confined *confined);
#define worker_main worker_main_real
#include "sandbox/worker/worker.c"
#undef worker_main

#include "tests/unit/sandbox/starve.h"

#include <fcntl.h>
#include <sys/mman.h>

static struct starve *shared;

__attribute__((constructor)) static void map_shared(void)
{
	const char *path = getenv("RUNG_FAIL_MEMORY");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p = fd >= 0 ? mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
	if (fd >= 0) close(fd);
	if (p != MAP_FAILED) shared = p;
}

void worker_main(int fd, const struct confined *confined)
{
	starve = shared;
	worker_main_real(fd, confined);
}
