/* SPDX-License-Identifier: MIT */
/* See sandbox.h. */
#include "store/server/sandbox.h"

#include <fcntl.h>

#include "base/io.h"
#include "base/sanitizers.h"
#include "store/server/landlock.h"
#include "store/server/object-dirs.h"
#include "store/server/syscalls.h"
#include "store/url.h"

#define PATHS_MAX 96

/* Libraries that come when they are needed (libcurl, name services, TLS modules), and
 * what they read. */
static const char *const common[] = {
	"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache",
	/* names to addresses */
	"/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf",
	"/etc/gai.conf", "/etc/services", "/etc/protocols", "/run/systemd/resolve",
	"/run/NetworkManager", "/run/resolvconf", "/run/connman",
	/* authorities and settings of TLS */
	"/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/crypto-policies",
	"/etc/gnutls", "/etc/gcrypt", "/usr/share/ca-certificates",
	"/usr/local/share/ca-certificates", "/usr/share/ssl", "/proc/sys/crypto",
	"/etc/krb5.conf", "/etc/krb5.conf.d", "/etc/gss",
	/* the machine */
	"/dev/null", "/dev/random", "/dev/urandom", "/sys/devices/system/cpu",
#if SANITIZERS
	"/proc/self", /* leaks are searched for by its maps */
#endif
};

struct paths {
	char *list[PATHS_MAX + 1];
	size_t n;
};

static void paths_release(struct paths *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->list[i]);
}
#define autopaths CLEANUP(paths_release) struct paths

static bool add(struct paths *p, const char *path)
{
	if (p->n == PATHS_MAX)
		return false;
	p->list[p->n++] = xstrdup(path);
	return true;
}

/* What a repository borrows from others. */
static void add_borrowed(struct paths *p, const char *path, const char *objects)
{
	autofree char *own = xasprintf("%s/%s", path, objects);
	autoobjectdirs dirs = { .n = 0 };

	object_dirs_list(own, &dirs);
	for (size_t i = 1; i < dirs.n; i++)
		(void)add(p, dirs.list[i]);
}

static void add_repository(struct paths *p, const char *url)
{
	autofree char *path = url_local_path(url);

	if (!path || !add(p, path))
		return;
	add_borrowed(p, path, "objects");
	add_borrowed(p, path, ".git/objects");
}

/* Places of streams that are directories of this machine.  True: there are others. */
static bool add_streams(struct paths *p, const char *places)
{
	bool far = false;

	while (*(places += strspn(places, " "))) {
		size_t n = strcspn(places, " ");
		autofree char *place = xstrndup(places, n);
		autofree char *path = NULL;

		if (strncmp(place, "file://", 7) == 0)
			path = url_local_path(place);
		else
			far = true;
		if (path)
			(void)add(p, path);
		places += n;
	}
	return far;
}

int sandbox_enter(struct sandbox *s, const struct options *o, struct error *e)
{
	autopaths p = { .n = 0 };
	bool local = o->url && url_kind(o->url) == URL_LOCAL;
	bool far = o->url && !local;
	int r;

	if (s->entered)
		return 0;
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		(void)add(&p, common[i]);
	if (o->ca)
		(void)add(&p, o->ca);
	if (o->stream && add_streams(&p, o->stream))
		far = true;
	if (local)
		add_repository(&p, o->url);
	r = landlock_confine(".", (const char *const *)p.list, e);
	if (r >= 0)
		r = syscalls_confine(e);
	if (r < 0)
		return r;
	s->entered = true;
	s->filtered = r > 0;
	return far ? 0 : sandbox_end_network(s, e);
}

int sandbox_end_network(struct sandbox *s, struct error *e)
{
	int r;

	if (!s->filtered || s->no_network)
		return 0;
	r = syscalls_end_network(e);
	s->no_network = r >= 0;
	return r < 0 ? r : 0;
}
