/* SPDX-License-Identifier: MIT */
/* See sign.h. */
#include "build/sign.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "base/io.h"
#include "base/subprocess.h"
#include "base/text.h"
#include "trust/sshsig.h"

#define ARMOR_MAX 16384

/* What ssh-keygen, an agent, a token or a passphrase dialogue may need. */
static const char *const passed[] = { "PATH", "HOME", "USER", "LOGNAME", "TERM", "TMPDIR",
	"SSH_AUTH_SOCK", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "SSH_SK_PROVIDER",
	"SSH_SK_HELPER", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR" };

#define N_PASSED (sizeof(passed) / sizeof(passed[0]))

int sign_check_key(const char *key, struct error *e)
{
	if (access(key, R_OK) < 0)
		return err_sys(e, "--key %s", key);
	return 0;
}

bool sign_wants_touch(const char *key)
{
	size_t n = strlen(key);
	bool public = n > 4 && strcmp(key + n - 4, ".pub") == 0;
	autofree char *name = public ? xstrdup(key) : xasprintf("%s.pub", key);
	autobuf text = { 0 };

	return io_read_file_at(AT_FDCWD, name, ARMOR_MAX, &text, NULL) == 0 &&
	       text.size > 3 && memcmp(text.data, "sk-", 3) == 0;
}

static int payload_file(struct bytes payload, int *ret, struct error *e)
{
	autofd fd = memfd_create("payload", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return err_sys(e, "memfd");
	r = io_write_full(fd, payload.data, payload.size, e);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, "seek");
	*ret = take_fd(&fd);
	return 0;
}

/* "Couldn't load public key x: No such file or directory": its last line. */
static int complain(const char *key, int status, const struct buf *said, struct error *e)
{
	const char *text = said->data ? said->data : "";
	size_t n = said->size;
	const char *line;
	autobuf shown = { 0 };

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	line = n ? memrchr(text, '\n', n) : NULL;
	line = line ? line + 1 : text;
	text_escape(&shown,
		(struct bytes){ (const unsigned char *)line, (size_t)(text + n - line) },
		false);
	return err_set(e, E_SYSTEM, "ssh-keygen cannot sign with %s (exit %d): %.300s",
		key, status, shown.size ? shown.data : "it said nothing");
}

static int run(const char *key, int payload, struct buf *ret, struct error *e)
{
	const char *const argv[] = { "ssh-keygen", "-Y", "sign", "-n", "git", "-f", key,
		NULL };
	char *env[N_PASSED + 2] = { 0 };
	struct subprocess p = {
		.argv = argv,
		.env = (const char *const *)env,
		.stdin_fd = payload,
		.stdout_max = ARMOR_MAX,
		.on_terminal = true,
	};
	autobuf said = { 0 };
	int status = 0;
	size_t n = 0;
	int r;

	for (size_t i = 0; i < N_PASSED; i++) {
		const char *value = getenv(passed[i]);

		if (value)
			env[n++] = xasprintf("%s=%s", passed[i], value);
	}
	env[n] = xstrdup("LC_ALL=C");
	r = subprocess_run(&p, ret, &said, &status, e);
	for (size_t i = 0; i <= n; i++)
		free(env[i]);
	if (r == E_NOTFOUND)
		return err_prefix(e, r, "openssh-client is needed to sign");
	return r == 0 && status != 0 ? complain(key, status, &said, e) : r;
}

int sign_payload(
	const char *key, struct bytes payload, struct buf *ret_armor, struct error *e)
{
	autofd fd = -1;
	autobuf armor = { 0 };
	struct sshkey signer;
	int r = payload_file(payload, &fd, e);

	if (r == 0)
		r = run(key, fd, &armor, e);
	if (r < 0)
		return r;
	if (armor.size > 0 && armor.data[armor.size - 1] == '\n')
		armor.size--;
	r = sshsig_verify(buf_bytes(&armor), payload, "git", &signer, e);
	if (r < 0)
		return err_prefix(e, r,
			"--key %s: no device would take this signature (ssh-ed25519 and "
			"sk-ssh-ed25519 keys work)",
			key);
	buf_add(ret_armor, armor.data, armor.size);
	return 0;
}
