#include "base/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un address;
static socklen_t address_len; /* 0: nobody wants to hear */
static int64_t watchdog_us;

static void take_address(const char *path)
{
	size_t n = path ? strlen(path) : 0;
	if (n < 2 || n >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@')) return;
	address.sun_family = AF_UNIX;
	memcpy(address.sun_path, path, n);
	if (path[0] == '@') address.sun_path[0] = 0; /* an abstract socket has no file, and its name no end but its length */
	address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

void notify_prepare(void)
{
	const char *every = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	take_address(getenv("NOTIFY_SOCKET"));
	bool is_ours = !pid || strtoll(pid, NULL, 10) == (long long)getpid();
	watchdog_us = every && is_ours ? strtoll(every, NULL, 10) : 0;
	if (watchdog_us < 0) watchdog_us = 0;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

bool notify_say(const char *lines)
{
	if (!address_len) return false;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) return false;
	size_t n = strlen(lines);
	/* A manager whose socket is full is not waited for. */
	ssize_t sent = sendto(fd, lines, n, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address, address_len);
	close(fd);
	return sent == (ssize_t)n;
}

int64_t notify_watchdog_us(void)
{
	return address_len ? watchdog_us : 0;
}
