#include "http/listen.h"
#include "base/fs.h"
#include "service/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 1024, PEM_BYTES_MAX = 1 << 20 };

static const char default_address[] = "127.0.0.1:7864";

static bool read_port(const char *text, in_port_t *out)
{
	char *end;
	if (text[0] < '0' || text[0] > '9') return false;
	long n = strtol(text, &end, 10);
	if (*end || n > 65535) return false;
	*out = htons((uint16_t)n);
	return true;
}

enum err listen_parse(const char *text, struct sockaddr_storage *out, socklen_t *n, struct error *e)
{
	struct sockaddr_in *four = (struct sockaddr_in *)out;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
	const char *colon = strrchr(text, ':');
	char host[64] = "";
	in_port_t port;
	memset(out, 0, sizeof *out);
	bool is_right = colon && (size_t)(colon - text) < sizeof host && read_port(colon + 1, &port);
	if (is_right) memcpy(host, text, (size_t)(colon - text));
	size_t len = strlen(host);
	if (is_right && (!*host || strcmp(host, "localhost") == 0)) snprintf(host, sizeof host, "127.0.0.1");
	if (is_right && host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = 0;
		*six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
		*n = sizeof *six;
		if (inet_pton(AF_INET6, host + 1, &six->sin6_addr) == 1) return ERR_OK;
	} else if (is_right) {
		*four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
		*n = sizeof *four;
		if (inet_pton(AF_INET, host, &four->sin_addr) == 1) return ERR_OK;
	}
	return error_set(e, ERR_INVALID, "listen is ADDRESS:PORT, such as 127.0.0.1:7864, 0.0.0.0:443 or [::]:443, not \"%.80s\"", text);
}

bool listen_is_loopback(const struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET) return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24 == 127;
	return a->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)a)->sin6_addr);
}

/* ---- TLS ---- */

static enum err read_pem(const char *path, char **out, struct error *e)
{
	struct buf b;
	buf_init(&b, PEM_BYTES_MAX);
	enum err err = fs_read(path, &b, e);
	if (err)
		buf_clear(&b);
	else
		*out = buf_take(&b);
	return err ? error_context(e, "TLS") : ERR_OK;
}

static enum err prepare_tls(struct http *h, struct error *e)
{
	const struct serve_options *o = &h->en->serve;
	const struct config *c = h->en->config;
	bool is_given = o->tls_certificate || o->tls_key;
	const char *certificate = is_given ? o->tls_certificate : c->tls_certificate, *key = is_given ? o->tls_key : c->tls_key;
	if (!certificate != !key) return error_set(e, ERR_USAGE, "TLS needs both --tls-cert and --tls-key");
	if (!certificate) return ERR_OK;
	enum err err = read_pem(certificate, &h->certificate, e);
	if (!err) err = read_pem(key, &h->key, e);
	h->is_tls = true;
	return err;
}

/* ---- the socket ---- */

static void say_address(struct http *h, const struct sockaddr_storage *a)
{
	char host[INET6_ADDRSTRLEN] = "?";
	bool is_six = a->ss_family == AF_INET6;
	struct sockaddr_in four = {0};
	struct sockaddr_in6 six = {0};
	memcpy(&four, a, sizeof four);
	memcpy(&six, a, sizeof six);
	inet_ntop(a->ss_family, is_six ? (const void *)&six.sin6_addr : (const void *)&four.sin_addr, host, sizeof host);
	snprintf(h->address, sizeof h->address, is_six ? "%s://[%s]:%u" : "%s://%s:%u", h->is_tls ? "https" : "http", host,
	         ntohs(is_six ? six.sin6_port : four.sin_port));
}

static enum err open_socket(struct http *h, const char *text, const struct sockaddr_storage *a, socklen_t n, struct error *e)
{
	struct sockaddr_storage bound = {0};
	socklen_t bound_n = sizeof bound;
	int yes = 1;
	h->listen_fd = socket(a->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (h->listen_fd < 0) return error_errno(e, "listen: %s", text);
	setsockopt(h->listen_fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (bind(h->listen_fd, (const struct sockaddr *)a, n) != 0 || listen(h->listen_fd, BACKLOG) != 0) {
		error_errno(e, "listen: %s", text);
		close(h->listen_fd);
		h->listen_fd = -1;
		return e->kind;
	}
	if (getsockname(h->listen_fd, (struct sockaddr *)&bound, &bound_n) == 0) say_address(h, &bound);
	return ERR_OK;
}

enum err listen_open(struct http *h, struct error *e)
{
	struct sockaddr_storage a;
	socklen_t n;
	const char *text = h->en->serve.listen ? h->en->serve.listen : h->en->config->listen;
	if (!text) text = default_address;
	enum err err = listen_parse(text, &a, &n, e);
	if (!err) err = prepare_tls(h, e);
	if (!err && !h->is_tls && !listen_is_loopback(&a))
		err = error_set(
		    e, ERR_DENIED,
		    "%s can be reached from other hosts, and without TLS all that is sent there can be read and changed on the way: name a certificate "
		    "(--tls-cert and --tls-key, or http: {tls: {certificate, key}} in .rung/config.yaml), or listen on 127.0.0.1 and put a proxy in front",
		    text);
	return err ? err : open_socket(h, text, &a, n, e);
}
