/* SPDX-License-Identifier: MIT */
/* The network side of the store: see remote.h. */
#include "store/server/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/io.h"
#include "store/server/tags.h"
#include "store/url.h"

#define CA_BUNDLE "/etc/ssl/certs/ca-certificates.crt" /* ca-certificates(8) */

struct visit {
	struct session *ss;
	unsigned answered; /* kinds of credentials given so far, GIT_CREDENTIAL_* */
	uint64_t sideband; /* bytes of the server's own messages: a sign of life */
	git_fetch_options options;
	git_remote_connect_options connect;
	git_remote *remote;
};

static int refuse(const char *text)
{
	(void)git_error_set_str(GIT_ERROR_CALLBACK, text);
	return GIT_EAUTH;
}

static int on_credentials(git_credential **out, const char *url, const char *user,
	unsigned allowed, void *payload)
{
	struct visit *v = payload;
	const struct options *o = &v->ss->options;

	(void)url;
	if (!user || !user[0])
		user = o->username ? o->username : "git";
	/* A second question for the same means that the first answer was refused. */
	if (allowed & v->answered)
		return refuse("the server does not accept the configured login");
	if (allowed & GIT_CREDENTIAL_USERNAME) {
		v->answered |= GIT_CREDENTIAL_USERNAME;
		return git_credential_username_new(out, user);
	}
	if (allowed & (GIT_CREDENTIAL_SSH_KEY | GIT_CREDENTIAL_SSH_MEMORY)) {
		if (!o->ssh_key)
			return refuse("the server wants an ssh key: none is configured "
				      "(ssh-key)");
		v->answered |= GIT_CREDENTIAL_SSH_KEY | GIT_CREDENTIAL_SSH_MEMORY;
		return git_credential_ssh_key_memory_new(
			out, user, NULL, o->ssh_key, NULL);
	}
	if (!(allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT))
		return refuse("the server wants a kind of login osupdate does not know");
	if (!o->username || !o->password)
		return refuse(
			"the server wants a login: username and password-file are not "
			"configured");
	v->answered |= GIT_CREDENTIAL_USERPASS_PLAINTEXT;
	return git_credential_userpass_plaintext_new(out, o->username, o->password);
}

static int on_certificate(git_cert *cert, int valid, const char *host, void *payload)
{
	const struct visit *v = payload;
	autofree char *text = NULL;

	if (valid)
		return 0;
	if (cert->cert_type == GIT_CERT_HOSTKEY_LIBSSH2)
		text = xasprintf("the ssh key of host %s is %s (known-hosts; "
				 "`ssh-keyscan %s` prints the line to check and add)",
			host,
			v->ss->options.known_hosts ? "not among the known hosts"
						   : "not known: none are configured",
			host);
	else
		text = xasprintf(
			"the certificate of %s is not valid, or signed by nobody who is "
			"trusted (ca)",
			host);
	(void)git_error_set_str(GIT_ERROR_CALLBACK, text);
	return GIT_ECERTIFICATE;
}

static int on_sideband(const char *text, int size, void *payload)
{
	struct visit *v = payload;
	struct error gone;

	(void)text;
	v->sideband += size > 0 ? (unsigned)size : 0;
	v->ss->done[0] += size > 0 ? (unsigned)size : 0;
	return reply_progress(v->ss, &gone) < 0 ? GIT_EUSER : 0;
}

static int on_transfer(const git_indexer_progress *stats, void *payload)
{
	struct visit *v = payload;

	v->ss->done[0] = v->sideband + stats->received_bytes;
	return reply_indexed(stats, v->ss);
}

/* libgit2 itself compares host keys with $HOME/.ssh/known_hosts. */
static int write_known_hosts(const struct options *o, struct error *e)
{
	autofd dir = -1;
	int r;

	if (mkdir("home/.ssh", 0700) < 0 && errno != EEXIST)
		return err_set(e, errno == ENOSPC ? E_SPACE : E_SYSTEM,
			"store/home/.ssh: %s", strerror(errno));
	dir = open("home/.ssh", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return err_set(e, E_SYSTEM, "store/home/.ssh: %s", strerror(errno));
	r = io_replace_at(dir, "known_hosts",
		bytes_of(o->known_hosts ? o->known_hosts : ""), 0600, e);
	return r < 0 ? err_prefix(e, r, "store/home/.ssh") : 0;
}

/* library_start() has kept libgit2 from reading them; http may be sent on to https. */
static int name_authorities(const struct options *o, struct error *e)
{
	const char *ca = o->ca ? o->ca : CA_BUNDLE;

	if (url_kind(o->url) != URL_HTTP || (!o->ca && access(ca, F_OK) < 0))
		return 0;
	return git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, ca, NULL) < 0
		       ? err_git(e, E_USAGE, "ca: %s", ca)
		       : 0;
}

static int prepare(struct visit *v, struct error *e)
{
	const struct options *o = &v->ss->options;
	git_remote_callbacks *cb = &v->options.callbacks;
	int r;

	if (git_fetch_options_init(&v->options, GIT_FETCH_OPTIONS_VERSION) < 0 ||
		git_remote_connect_options_init(
			&v->connect, GIT_REMOTE_CONNECT_OPTIONS_VERSION) < 0)
		return err_git(e, E_SYSTEM, "libgit2");
	cb->credentials = on_credentials;
	cb->certificate_check = on_certificate;
	cb->sideband_progress = on_sideband;
	cb->transfer_progress = on_transfer;
	cb->payload = v;
	v->options.update_fetchhead = 0;
	v->options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
	v->options.prune = GIT_FETCH_NO_PRUNE;
	v->options.proxy_opts.type = o->proxy ? GIT_PROXY_SPECIFIED : GIT_PROXY_NONE;
	v->options.proxy_opts.url = o->proxy;
	v->connect.callbacks = *cb;
	v->connect.proxy_opts = v->options.proxy_opts;
	v->connect.follow_redirects = v->options.follow_redirects;
	if (o->proxy && strncmp(o->url, "http://", 7) == 0)
		return err_set(e, E_USAGE,
			"proxy: the server speaks an old git protocol, for which it "
			"works with https:// only");
	r = name_authorities(o, e);
	return r < 0 ? r : write_known_hosts(o, e);
}

/* libssh2 words a refused key as lost connection, and cannot use RSA with new servers. */
static int connect_error(const struct visit *v, struct error *e)
{
	bool key_sent = v->answered & GIT_CREDENTIAL_SSH_KEY;

	return err_git(e, E_REMOTE, "%s%s", v->ss->shown_url,
		key_sent
			? " (was the ssh key accepted there? it should be an ed25519 key)"
			: "");
}

/* Connect and find the branch: 1, 0, or an error. */
static int visit_open(struct visit *v, git_repository *repo, const char *channel,
	git_oid *ret, struct error *e)
{
	struct session *ss = v->ss;
	const git_remote_head **heads = NULL;
	autofree char *branch = NULL;
	size_t n = 0;
	int r = channel_ref("refs/heads/", channel, &branch, e);

	if (r < 0)
		return r;
	r = prepare(v, e);
	if (r < 0)
		return r;
	if (git_remote_create_anonymous(&v->remote, repo, ss->options.url) < 0)
		return err_git(e, E_USAGE, "%s", ss->shown_url);
	if (git_remote_connect_ext(v->remote, GIT_DIRECTION_FETCH, &v->connect) < 0 ||
		git_remote_ls(&heads, &n, v->remote) < 0)
		return connect_error(v, e);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(heads[i]->name, branch) == 0) {
			git_oid_cpy(ret, &heads[i]->oid);
			return 1;
		}
	}
	return 0;
}

static void visit_close(struct visit *v)
{
	git_remote_free(v->remote); /* disconnects */
	v->remote = NULL;
}

int remote_list(struct session *ss, const char *channel, git_oid *ret, struct error *e)
{
	struct visit v = { .ss = ss };
	int r = visit_open(&v, ss->repo, channel, ret, e);

	visit_close(&v);
	return r;
}

/* Errors that a server alone does not cause: objects we promised to have are not there.
 */
static bool is_damage(void)
{
	const git_error *g = git_error_last();

	if (!g || !g->message)
		return false;
	return g->klass == GIT_ERROR_ODB || g->klass == GIT_ERROR_REFERENCE ||
	       strstr(g->message, "delta base");
}

static bool is_new(git_repository *repo, const git_oid *tip)
{
	autogit(git_odb) odb = NULL;

	return git_repository_odb(&odb, repo) == 0 && !git_odb_exists(odb, tip);
}

int remote_fetch(struct session *ss, git_repository *repo, const char *channel,
	git_oid *ret, bool *ret_is_damage, struct error *e)
{
	struct visit v = { .ss = ss };
	autofree char *incoming = NULL;
	autofree char *branch = NULL;
	char tags[] = "+" REF_TAGS "*:" REF_TAGS "*";
	char *specs[2] = { NULL, tags };
	const git_strarray list = { specs, 2 };
	int r = channel_ref(REF_INCOMING, channel, &incoming, e);

	if (r == 0)
		r = visit_open(&v, repo, channel, ret, e);
	if (r > 0 && is_new(repo, ret))
		r = announce(ss, e) < 0 ? E_SYSTEM : 1;
	if (r > 0) {
		tags_forget(repo, ret, NULL, NULL);
		branch = xasprintf("+refs/heads/%s:%s", channel, incoming);
		specs[0] = branch;
		r = git_remote_fetch(v.remote, &list, &v.options, NULL);
		if (r < 0) {
			*ret_is_damage = is_damage();
			r = err_git(e, E_REMOTE, "%s", ss->shown_url);
		} else {
			r = ref_read(repo, incoming, ret, e);
		}
	}
	visit_close(&v);
	return r;
}
