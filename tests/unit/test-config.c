/* SPDX-License-Identifier: MIT */
/* The configuration: every key, and every mistake with its file and line. */
#include "scratch.h"
#include "update/config.h"

TestSuite(config, .init = scratch_enter, .fini = scratch_leave);

static const char good[] = "# a comment\n"
			   "[update]\n"
			   "url = https://git.example.org/os.git\n"
			   "channel = beta\n"
			   "product = kiosk-amd64\n"
			   "ssh-key = /etc/osupdate/key\n"
			   "known-hosts = /etc/osupdate/hosts\n"
			   "ca = /etc/ssl/ca.pem\n"
			   "username = device\n"
			   "password-file = /etc/osupdate/password\n"
			   "proxy = http://proxy:3128\n"
			   "stall-timeout = 5\n"
			   "interval = 6h\n"
			   "read-back = no\n"
			   "[paths]\n"
			   "state = /data/osupdate\n"
			   "signers = /etc/osupdate/allowed_signers\n"
			   "[boot]\n"
			   "hook = grub\n"
			   "timeout = 7\n"
			   "grubenv = /boot/grub/grubenv\n"
			   "[slot A]\n"
			   "device = /dev/disk/by-partlabel/root-a\n"
			   "[slot B]\n"
			   "device = /dev/disk/by-partlabel/root-b\n"
			   "bootname = system1\n";
static const char small[] =
	"[update]\nurl = /srv/os.git\nproduct = p\n[boot]\nhook = /x/hook\n"
	"[slot A]\ndevice = /dev/a\n[slot B]\ndevice = /dev/b\n";

static int load(const char *text, struct config *c, struct error *e)
{
	scratch_put("conf", bytes_of(text));
	return config_load("conf", c, e);
}

Test(config, every_key_is_read)
{
	struct config c;
	struct error e = { 0 };

	cr_assert_eq(load(good, &c, &e), 0, "%s", e.text);
	cr_assert_str_eq(c.url, "https://git.example.org/os.git");
	cr_assert_str_eq(c.channel, "beta");
	cr_assert_str_eq(c.product, "kiosk-amd64");
	cr_assert_str_eq(c.ssh_key, "/etc/osupdate/key");
	cr_assert_str_eq(c.known_hosts, "/etc/osupdate/hosts");
	cr_assert_str_eq(c.ca, "/etc/ssl/ca.pem");
	cr_assert_str_eq(c.username, "device");
	cr_assert_str_eq(c.password_file, "/etc/osupdate/password");
	cr_assert_str_eq(c.proxy, "http://proxy:3128");
	cr_assert_eq(c.stall_timeout_ms, 5000);
	cr_assert_eq(c.interval_s, 6 * 3600);
	cr_assert_not(c.read_back);
	cr_assert_str_eq(c.state, "/data/osupdate");
	cr_assert_str_eq(c.signers, "/etc/osupdate/allowed_signers");
	cr_assert_str_eq(c.hook, "grub");
	cr_assert_eq(c.hook_timeout_ms, 7000);
	cr_assert_str_eq(c.boot_keys[0], "grubenv");
	cr_assert_str_eq(c.boot_keys[1], "/boot/grub/grubenv");
	cr_assert_null(c.boot_keys[2]);
	cr_assert_str_eq(c.slots[0].name, "A");
	cr_assert_str_eq(c.slots[0].bootname, "A");
	cr_assert_str_eq(c.slots[1].bootname, "system1");
	cr_assert_str_eq(c.slots[1].device, "/dev/disk/by-partlabel/root-b");
	config_release(&c);
}

Test(config, what_is_left_out_has_a_default)
{
	struct config c;
	struct error e = { 0 };

	cr_assert_eq(load(small, &c, &e), 0, "%s", e.text);
	cr_assert_str_eq(c.channel, "stable");
	cr_assert_str_eq(c.state, "/var/lib/osupdate");
	cr_assert_null(c.signers);
	cr_assert_eq(c.stall_timeout_ms, 60000);
	cr_assert_eq(c.interval_s, 3600);
	cr_assert(c.read_back);
	cr_assert_eq(c.hook_timeout_ms, 30000);
	config_release(&c);
}

/* `line` replaces the line `at` (from 1) of `small`; 0 appends it. */
static const struct {
	unsigned at;
	const char *line;
	const char *text; /* of the error */
} bad[] = {
	{ 2, "uri = /srv/os.git", "conf:2: unknown key" },
	{ 2, "url = ", "conf:2" },
	{ 2, "url", "conf:2" },
	{ 2, "# url", "\"url\" is missing" },
	{ 3, "product = a\nproduct = b", "conf:4: \"product\" is there twice" },
	{ 3, "channel = ../x", "conf:3" },
	{ 3, "interval = 0", "conf:3" },
	{ 3, "interval = 5 min", "conf:3" },
	{ 3, "stall-timeout = 3601", "conf:3" },
	{ 3, "read-back = maybe", "conf:3" },
	{ 3, "ssh-key = relative", "conf:3" },
	{ 4, "[boots]", "conf:4: unknown section" },
	{ 4, "[boot", "conf:4" },
	{ 5, "hook = a/b", "conf:5" },
	{ 5, "hook = grub\ntimeout = 601", "conf:6" },
	{ 5, "hook = grub\nSLOT = x", "conf:6" },
	{ 5, "hook = grub\nslot = x", "conf:6" },
	{ 6, "[slot -A]", "conf:6" },
	{ 6, "[slot]", "conf:6" },
	{ 6, "[slot B]", "again" },
	{ 7, "device = relative", "conf:7" },
	{ 7, "bootname = A", "\"device\" is missing" },
	{ 7, "device = /dev/a\nbootname = B", "bootname" },
	{ 9, "device = /dev/a", "same device" },
	{ 0, "[slot C]\ndevice = /dev/c", "exactly two" },
	{ 0, "[update]", "again" },
	{ 1, "x = y\n[update]", "conf:1" },
};

static void edit(unsigned at, const char *line, struct buf *out)
{
	unsigned n = 1;

	for (const char *p = small; *p; n++) {
		size_t size = strcspn(p, "\n") + 1;

		if (n == at)
			buf_addf(out, "%s\n", line);
		else
			buf_add(out, p, size);
		p += size;
	}
	if (at == 0)
		buf_addf(out, "%s\n", line);
}

Test(config, every_mistake_is_told_with_its_line)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error e = { 0 };
		autobuf text = { 0 };
		struct config c;
		int r;

		edit(bad[i].at, bad[i].line, &text);
		r = load(text.data, &c, &e);
		cr_expect_eq(r, E_INPUT, "%s", bad[i].line);
		cr_expect(strstr(e.text, bad[i].text), "%s: \"%s\" is not in \"%s\"",
			bad[i].line, bad[i].text, e.text);
		if (r == 0)
			config_release(&c);
	}
}

Test(config, one_slot_is_not_enough)
{
	struct error e = { 0 };
	struct config c;

	cr_assert_eq(
		load("[update]\nurl = /a\nproduct = p\n[boot]\nhook = grub\n[slot A]\n"
		     "device = /dev/a\n",
			&c, &e),
		E_INPUT);
	cr_assert(strstr(e.text, "[slot"), "%s", e.text);
}

Test(config, belongs_to_root_alone)
{
	struct error e = { 0 };
	struct config c;

	scratch_put("conf", bytes_of(small));
	cr_assert_eq(chmod("conf", 0666), 0);
	cr_assert_eq(config_load("conf", &c, &e), E_UNTRUSTED);
	cr_assert(strstr(e.text, "conf"), "%s", e.text);
	cr_assert_eq(chmod("conf", 0644), 0);
	cr_assert_eq(chown("conf", 1000, 0), 0);
	cr_assert_eq(config_load("conf", &c, &e), E_UNTRUSTED);
	cr_assert_eq(config_load("none", &c, &e), E_NOTFOUND);
	cr_assert(strstr(e.text, "--config"), "%s", e.text);
	cr_assert_eq(mkdir("dir", 0755), 0);
	cr_assert_eq(config_load("dir", &c, &e), E_INPUT);
}

Test(config, control_characters_and_nul_are_no_text)
{
	struct error e = { 0 };
	struct config c;

	cr_assert_eq(load("[update]\nurl = a\033b\n", &c, &e), E_INPUT);
	scratch_put("conf", (struct bytes){ (const unsigned char *)"[update]\n\0", 10 });
	cr_assert_eq(config_load("conf", &c, &e), E_INPUT);
}
