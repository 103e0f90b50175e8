#include "escalate/oncall_reader.h"
#include "policy/url.h"

#include <string.h>

/* Where mail leaves, and how long what waits may wait. */

enum { PORT_OF_STARTTLS = 587, PORT_OF_TLS = 465, PORT_OF_NO_TLS = 25, PORT_MAX = 65535 };
static const char after_most[] = "7d";

static enum err read_server(const struct reader *r, const struct yaml *v, struct oncall_mail *m)
{
	char *host;
	enum host_kind kind;
	struct error why;
	enum err err = yaml_text(v, "the mail server", &m->server, r->e);
	if (err) return err;
	if (host_normal(r->arena, m->server, strlen(m->server), &host, &kind, &why))
		return yaml_wrong(v, r->e, "the mail server is a host's name or address, as smtp.example.net: %s", why.text);
	m->server = host;
	return ERR_OK;
}

static enum err read_tls(const struct reader *r, const struct yaml *v, struct oncall_mail *m)
{
	static const int ports[] = {PORT_OF_STARTTLS, PORT_OF_TLS, PORT_OF_NO_TLS};
	const char *words[ONCALL_NO_TLS + 2] = {NULL};
	size_t i = ONCALL_STARTTLS;
	for (int k = 0; k <= ONCALL_NO_TLS; k++) words[k] = oncall_tls_word((enum oncall_tls)k);
	enum err err = v ? yaml_word(v, "tls", words, &i, r->e) : ERR_OK;
	if (!err && i == ONCALL_NO_TLS && !oncall_is_loopback(m->server))
		err = yaml_wrong(v, r->e, "mail to another host goes by TLS (starttls or implicit): it names the incident and a link that acknowledges it");
	m->tls = (enum oncall_tls)i;
	m->port = (unsigned)ports[i];
	return err;
}

static enum err read_login(const struct reader *r, const struct yaml *v, struct oncall_mail *m)
{
	const struct yaml *user = yaml_get(v, "user"), *secret = yaml_get(v, "secret");
	if (!user && !secret) return ERR_OK;
	if (!user || !secret)
		return yaml_wrong(user ? user : secret, r->e, "to log in to the mail server takes both user and secret, the name of its password");
	enum err err = yaml_text(user, "the user at the mail server", &m->user, r->e);
	if (!err && strpbrk(m->user, "\r\n")) err = yaml_wrong(user, r->e, "the user at the mail server is one line");
	return err ? err : oncall_read_secret(r, secret, &m->secret);
}

static enum err read_ca(const struct reader *r, const struct yaml *v, struct oncall_mail *m)
{
	enum err err = v ? yaml_text(v, "the file of certificates", &m->ca, r->e) : ERR_OK;
	if (!err && m->ca && m->ca[0] != '/') err = yaml_wrong(v, r->e, "the file of certificates is an absolute path, such as /etc/ssl/certs/our-ca.pem");
	return err;
}

enum err oncall_read_mail(const struct reader *r, const struct yaml *v)
{
	static const char *const keys[] = {"server", "port", "tls", "from", "user", "secret", "ca", NULL};
	struct oncall_mail *m = arena_alloc(r->arena, sizeof *m);
	int64_t port = 0;
	enum err err = yaml_keys(v, "mail", keys, r->e);
	if (!err && (!yaml_get(v, "server") || !yaml_get(v, "from")))
		err = yaml_wrong(v, r->e, "mail has a server and a sender, as {server: smtp.example.net, from: rung@example.net}");
	if (!err) err = read_server(r, yaml_get(v, "server"), m);
	if (!err) err = oncall_read_address(r, yaml_get(v, "from"), &m->from);
	if (!err) err = read_tls(r, yaml_get(v, "tls"), m);
	if (!err && yaml_get(v, "port")) err = yaml_int(yaml_get(v, "port"), "the port of the mail server", 1, PORT_MAX, &port, r->e);
	if (port) m->port = (unsigned)port;
	if (!err) err = read_login(r, v, m);
	if (!err) err = read_ca(r, yaml_get(v, "ca"), m);
	r->o->mail = m;
	return err;
}

enum err oncall_read_after(const struct reader *r, const struct yaml *v)
{
	static const char *const keys[] = {"waiting", "approval", NULL};
	const struct yaml *m;
	enum err err = yaml_keys(v, "after", keys, r->e);
	if (!err && (m = yaml_get(v, "waiting"))) err = oncall_read_seconds(r, m, "how long a step may wait for a person", after_most, &r->o->after.waiting_us);
	if (!err && (m = yaml_get(v, "approval")))
		err = oncall_read_seconds(r, m, "how long an approval may be waited for", after_most, &r->o->after.approval_us);
	return err;
}
