#include "service/listen.h"
#include "base/fs.h"
#include "base/log.h"
#include "service/client.h"
#include "service/config.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 64, SHARED_MODE = 0660 };

static void connection(uv_poll_t *h, int status, int events)
{
	(void)status, (void)events;
	struct listener *l = h->data;
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0) {
		client_accept(l->engine, fd);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		/* No descriptors, say: the connection stays there; looked at again with the next tick. */
		log_line(LOG_ERROR, "a client could not be let in: %s", strerror(errno));
		uv_poll_stop(h);
	}
}

void listen_again(struct engine *en)
{
	for (int i = 0; i < ENGINE_LISTENERS; i++)
		if (en->listeners[i].path && !uv_is_active((uv_handle_t *)&en->listeners[i].poll))
			uv_poll_start(&en->listeners[i].poll, UV_READABLE, connection);
}

/* A socket's path may be longer than an address holds: it is bound from within its folder. */
static enum err bind_in(int fd, const char *path, struct error *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char *folder = fs_dirname(path);
	const char *name = strrchr(path, '/') + 1;
	enum err err = ERR_OK;
	if (strlen(name) >= sizeof address.sun_path) err = error_set(e, ERR_INVALID, "%s: a socket's name has at most 107 bytes", path);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", name);
	if (!err && chdir(folder) != 0) err = error_errno(e, "%s", folder);
	mode_t before = umask(0177);
	if (!err && (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, LISTEN_BACKLOG) != 0)) err = error_errno(e, "%s", path);
	umask(before);
	if (chdir("/") != 0 && !err) err = error_errno(e, "/");
	free(folder);
	return err;
}

static enum err listen_on(struct engine *en, struct listener *l, const char *path, struct error *e)
{
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0) return error_errno(e, "socket");
	enum err err = bind_in(l->fd, path, e);
	if (err) {
		close(l->fd);
		return err;
	}
	l->engine = en;
	l->path = mem_strdup(path);
	uv_poll_init(&en->loop, &l->poll, l->fd);
	l->poll.data = l;
	uv_poll_start(&l->poll, UV_READABLE, connection);
	return ERR_OK;
}

/* What stands at the shared path: nothing, a socket that nobody listens on any more (it goes), or something that is not ours to remove. */
static enum err make_room(const char *path, struct error *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;
	if (strlen(path) >= sizeof address.sun_path) return error_set(e, ERR_INVALID, "socket: path: %s has more than 107 bytes", path);
	if (lstat(path, &st) != 0) return errno == ENOENT ? ERR_OK : error_errno(e, "%s", path);
	if (!S_ISSOCK(st.st_mode)) return error_set(e, ERR_CONFLICT, "socket: path: %s is there and is no socket", path);
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is_in_use = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
	if (fd >= 0) close(fd);
	if (is_in_use) return error_set(e, ERR_CONFLICT, "socket: path: another engine listens on %s", path);
	return unlink(path) == 0 ? ERR_OK : error_errno(e, "%s", path);
}

/* The folder of the locks that commands on people's terminals hold: the group's, whoever of it drives. */
static enum err share_locks(struct engine *en, gid_t group, struct error *e)
{
	en->terminal_locks = mem_printf("%s.locks", en->config->socket_path);
	if (mkdir(en->terminal_locks, 0700) != 0 && errno != EEXIST) return error_errno(e, "%s", en->terminal_locks);
	struct stat st;
	if (lstat(en->terminal_locks, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return error_set(e, ERR_CONFLICT, "socket: path: %s is there, and is no folder of this engine's user", en->terminal_locks);
	if (chown(en->terminal_locks, (uid_t)-1, group) != 0 || chmod(en->terminal_locks, 03770) != 0) return error_errno(e, "%s", en->terminal_locks);
	return ERR_OK;
}

static enum err listen_shared(struct engine *en, struct error *e)
{
	const struct config *c = en->config;
	struct group *g = getgrnam(c->socket_group ? c->socket_group : "");
	if (!g) return error_set(e, ERR_INVALID, "%s: socket: group: there is no group \"%s\"", c->socket_at, c->socket_group);
	enum err err = make_room(c->socket_path, e);
	if (!err) err = listen_on(en, &en->listeners[1], c->socket_path, e);
	if (err) return err;
	if (chown(c->socket_path, (uid_t)-1, g->gr_gid) != 0) return error_errno(e, "%s: its group cannot become %s", c->socket_path, c->socket_group);
	if (chmod(c->socket_path, SHARED_MODE) != 0) return error_errno(e, "%s", c->socket_path);
	return share_locks(en, g->gr_gid, e);
}

enum err listen_start(struct engine *en, struct error *e)
{
	char *path = mem_printf("%s/engine.sock", en->state_dir);
	unlink(path); /* the store's lock is ours: nobody listens there */
	enum err err = listen_on(en, &en->listeners[0], path, e);
	free(path);
	if (!err && en->config->socket_path) err = listen_shared(en, e);
	return err;
}

void listen_stop(struct engine *en)
{
	for (int i = 0; i < ENGINE_LISTENERS; i++) {
		struct listener *l = &en->listeners[i];
		if (!l->path) continue;
		unlink(l->path);
		close(l->fd);
		free(l->path);
		l->path = NULL;
	}
	free(en->terminal_locks);
	en->terminal_locks = NULL;
}
