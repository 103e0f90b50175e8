#include "base/clock.h"
#include "modules/notify/mail.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What libcurl is told of one message. In a thread: nothing here touches the actor. */

static bool is_given_up(struct letter *l)
{
	pthread_mutex_lock(&l->lock);
	bool yes = l->is_given_up;
	pthread_mutex_unlock(&l->lock);
	return yes;
}

/* The message, then its end: from there on it may have been taken, so that is where it is too late to give up. */
static size_t on_read(char *to, size_t size, size_t count, void *arg)
{
	struct letter *l = arg;
	size_t room = size * count, left = l->message.len - l->read_at, n = left < room ? left : room;
	if (n) {
		memcpy(to, l->message.data + l->read_at, n);
		l->read_at += n;
		return is_given_up(l) ? CURL_READFUNC_ABORT : n;
	}
	pthread_mutex_lock(&l->lock);
	if (!l->is_given_up) l->is_sent = true;
	bool may_end = l->is_sent;
	pthread_mutex_unlock(&l->lock);
	/* A no from here on is one to the message. */
	l->code = 0;
	l->is_ended = true;
	return may_end ? 0 : CURL_READFUNC_ABORT;
}

/* The code of an answer's last line: three digits (RFC 5321, 4.2); 0: it is none. */
static int code_of(const char *line, size_t n)
{
	bool is_code = n >= 3 && line[0] >= '2' && line[0] <= '5' && line[1] >= '0' && line[1] <= '9' && line[2] >= '0' && line[2] <= '9';
	bool is_last = n == 3 || (n > 3 && strchr(" \r\n", line[3]));
	return is_code && is_last ? (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0') : 0;
}

/* Lines that the server says, of which the last no is kept. */
static size_t on_line(char *line, size_t size, size_t count, void *arg)
{
	struct letter *l = arg;
	size_t n = size * count, kept = n < MAIL_SAID_BYTES_MAX ? n : MAIL_SAID_BYTES_MAX;
	l->heard_bytes += n;
	if (l->heard_bytes > MAIL_HEARD_BYTES_MAX) return 0;
	int code = code_of(line, n);
	if (l->is_ended && !l->code && code >= 200 && code < 300) l->is_taken = true;
	if (code < 400 || l->is_taken) return n;
	l->code = code;
	memcpy(l->said, line, kept);
	l->said[kept] = 0;
	while (kept && (l->said[kept - 1] == '\n' || l->said[kept - 1] == '\r')) l->said[--kept] = 0;
	return n;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
	(void)bytes, (void)arg;
	return size * count;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	(void)a, (void)b, (void)c, (void)d;
	return is_given_up(arg);
}

static CURLcode set_tls(CURL *h, const struct letter *l)
{
	CURLcode c = curl_easy_setopt(h, CURLOPT_USE_SSL, l->tls == MAIL_NO_TLS ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
	if (!c) c = curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 1L);
	if (!c) c = curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 2L);
	if (!c) c = curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (!c && l->ca_file) c = curl_easy_setopt(h, CURLOPT_CAINFO, l->ca_file);
	if (!c && l->ca_file) c = curl_easy_setopt(h, CURLOPT_CAPATH, NULL);
	return c;
}

static CURLcode set_callbacks(CURL *h, struct letter *l)
{
	const struct {
		CURLoption option;
		void *value;
	} pointers[] = {
	    {CURLOPT_READFUNCTION, (void *)on_read},  {CURLOPT_READDATA, l},  {CURLOPT_HEADERFUNCTION, (void *)on_line},       {CURLOPT_HEADERDATA, l},
	    {CURLOPT_WRITEFUNCTION, (void *)on_body}, {CURLOPT_WRITEDATA, l}, {CURLOPT_XFERINFOFUNCTION, (void *)on_progress}, {CURLOPT_XFERINFODATA, l},
	    {CURLOPT_ERRORBUFFER, l->curl_error}};
	CURLcode c = CURLE_OK;
	for (size_t i = 0; !c && i < sizeof pointers / sizeof *pointers; i++) c = curl_easy_setopt(h, pointers[i].option, pointers[i].value);
	return c;
}

/* What libcurl would otherwise do by itself is off: proxies, .netrc, names, signals. */
static CURLcode set_bounds(CURL *h, const struct letter *l)
{
	long ms = (long)((l->deadline_us - clock_monotonic_us()) / 1000);
	const struct {
		CURLoption option;
		long value;
	} numbers[] = {{CURLOPT_NOSIGNAL, 1},   {CURLOPT_UPLOAD, 1},      {CURLOPT_NETRC, CURL_NETRC_IGNORED},    {CURLOPT_TIMEOUT_MS, ms > 1 ? ms : 1},
	               {CURLOPT_NOPROGRESS, 0}, {CURLOPT_TCP_NODELAY, 1}, {CURLOPT_SERVER_RESPONSE_TIMEOUT, 3600}};
	CURLcode c = CURLE_OK;
	for (size_t i = 0; !c && i < sizeof numbers / sizeof *numbers; i++) c = curl_easy_setopt(h, numbers[i].option, numbers[i].value);
	if (!c) c = curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	return c ? c : curl_easy_setopt(h, CURLOPT_PROXY, "");
}

static CURLcode set_login(CURL *h, const struct letter *l)
{
	if (!l->user.len) return CURLE_OK;
	CURLcode c = curl_easy_setopt(h, CURLOPT_USERNAME, l->user.data);
	return c ? c : curl_easy_setopt(h, CURLOPT_PASSWORD, l->password.data ? l->password.data : "");
}

void mail_perform(struct letter *l)
{
	CURL *h = curl_easy_init();
	struct curl_slist *to = curl_slist_append(NULL, l->to), *pinned = l->pinned ? curl_slist_append(NULL, l->pinned) : NULL;
	bool is_six = strchr(l->server, ':') != NULL;
	char *url = mem_printf("%s://%s%s%s:%u", l->tls == MAIL_IMPLICIT_TLS ? "smtps" : "smtp", is_six ? "[" : "", l->server, is_six ? "]" : "", l->port);
	must(h && to);
	CURLcode c = curl_easy_setopt(h, CURLOPT_URL, url);
	if (!c && pinned) c = curl_easy_setopt(h, CURLOPT_RESOLVE, pinned);
	if (!c) c = curl_easy_setopt(h, CURLOPT_MAIL_FROM, l->from);
	if (!c) c = curl_easy_setopt(h, CURLOPT_MAIL_RCPT, to);
	if (!c) c = set_bounds(h, l);
	if (!c) c = set_tls(h, l);
	if (!c) c = set_login(h, l);
	if (!c) c = set_callbacks(h, l);
	if (!c) c = curl_easy_perform(h);
	const char *address = NULL;
	if (curl_easy_getinfo(h, CURLINFO_PRIMARY_IP, &address) == CURLE_OK && address) snprintf(l->peer, sizeof l->peer, "%s", address);
	l->result = (int)c;
	/* What libcurl says now is goodbye, and it would wait two minutes for the answer. */
	curl_socket_t fd = CURL_SOCKET_BAD;
	if (curl_easy_getinfo(h, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK && fd != CURL_SOCKET_BAD) shutdown(fd, SHUT_RD);
	curl_easy_cleanup(h);
	curl_slist_free_all(to);
	curl_slist_free_all(pinned);
	free(url);
}

enum err mail_explain(const struct letter *l, struct error *e)
{
	const char *because = *l->curl_error ? l->curl_error : curl_easy_strerror((CURLcode)l->result);
	switch (l->result) {
	case CURLE_COULDNT_CONNECT:
		return error_set(e, ERR_FAILED, "no connection to the mail server %s port %u: %s", l->server, l->port, because);
	case CURLE_OPERATION_TIMEDOUT:
		return error_set(e, ERR_TIMEOUT, "the mail server %s took longer than the time that the channel has", l->server);
	case CURLE_LOGIN_DENIED:
		return error_set(e, ERR_DENIED, "the mail server %s does not take the user and the secret of mail: in oncall.yaml (it said: %.200s)", l->server,
		                 l->said);
	case CURLE_USE_SSL_FAILED:
		return error_set(e, ERR_FAILED, "the mail server %s offers no TLS, and nothing is sent in the clear (mail: {tls: ...} in oncall.yaml)",
		                 l->server);
	case CURLE_PEER_FAILED_VERIFICATION:
		return error_set(
		    e, ERR_DENIED,
		    "the certificate of the mail server %s is not accepted (%s): is it for this name, in date, and signed by an authority that this "
		    "host trusts (mail: {ca: FILE} in oncall.yaml)?",
		    l->server, because);
	case CURLE_SSL_CACERT_BADFILE:
		return error_set(e, ERR_NOT_FOUND, "the authorities' certificates for mail cannot be read: %s", because);
	case CURLE_WRITE_ERROR:
		if (l->heard_bytes > MAIL_HEARD_BYTES_MAX) return error_set(e, ERR_TOO_BIG, "the mail server %s says without end", l->server);
		/* fall through */
	default:
		if (l->code) return error_set(e, ERR_FAILED, "the mail server %s refused the message: %.300s", l->server, l->said);
		return error_set(e, ERR_FAILED, "the mail server %s: %s", l->server, because);
	}
}
