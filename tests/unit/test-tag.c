/* SPDX-License-Identifier: MIT */
/* Thresholds: signed tags as stock git makes them, counted by distinct signers. */
#include "scratch.h"
#include "trust/release.h"
#include "trust/tag.h"

#define TRAILERS                                                                         \
	"Osupdate-Product: kiosk\nOsupdate-Version: 7.0\nOsupdate-Serial: 7\n"           \
	"Osupdate-Manifest: blake2b-256:"                                                \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef 77\n"

static void shell(const char *script, struct buf *out)
{
	const char *const argv[] = { "bash", "-euo", "pipefail", "-c", script, NULL };
	autobuf ignored = { 0 };

	cr_assert_eq(scratch_run(argv, NULL, out ? out : &ignored), 0, "%s", script);
}

/* A release signed by the key r, and keys a, b and c. */
static void enter(void)
{
	cr_assert_eq(digest_init_once(NULL), 0);
	scratch_enter();
	shell("for k in r a b c; do ssh-keygen -q -t ed25519 -N '' -C $k -f $k; done\n"
	      "git init -q .; git config user.name R; git config user.email r@x\n"
	      "git config gpg.format ssh; git config user.signingkey r.pub\n"
	      "git config gpg.ssh.allowedSignersFile allowed_signers\n"
	      "echo text >file; git add file",
		NULL);
	scratch_put("trailers", bytes_of(TRAILERS));
	shell("{ printf 'Subject\\n\\n'; cat trailers; } >message\n"
	      "git commit -q -S -F message",
		NULL);
}

TestSuite(tag, .init = enter, .fini = scratch_leave);

/* `lines`: each "principals key", with the threshold before them. */
static struct signers *signers_of(unsigned threshold, const char *lines)
{
	autofree char *script = xasprintf(
		"{ echo '# osupdate: threshold %u'; while read -r who key; do\n"
		"echo \"$who namespaces=\\\"git\\\" $(cut -d' ' -f1,2 $key.pub)\"; done\n"
		"} >allowed_signers <<'E'\n%s\nE\ncat allowed_signers",
		threshold, lines);
	struct signers *s = NULL;
	struct error e = { 0 };
	autobuf text = { 0 };

	shell(script, &text);
	cr_assert_eq(signers_parse("allowed_signers", buf_bytes(&text), &s, &e), 0, "%s",
		e.text);
	return s;
}

static void tag_as(const char *name, const char *key)
{
	autofree char *script = xasprintf(
		"git -c user.signingkey=%s.pub tag -f -s -F message %s", key, name);

	shell(script, NULL);
}

/* HEAD with the tags that are there, in the order of their names. */
static int verify(const struct signers *s, struct error *e)
{
	static const char *const head[] = { "git", "cat-file", "commit", "HEAD", NULL };
	struct buf raw[8] = { 0 };
	struct bytes tags[8];
	autorelease r = NULL;
	autobuf commit = { 0 };
	autobuf names = { 0 };
	size_t n = 0;
	int result;

	cr_assert_eq(scratch_run(head, NULL, &commit), 0);
	shell("git for-each-ref --format='%(objectname)' refs/tags", &names);
	for (char *line = names.data ? strtok(names.data, "\n") : NULL; line;
		line = strtok(NULL, "\n")) {
		const char *const cat[] = { "git", "cat-file", "tag", line, NULL };

		cr_assert_eq(scratch_run(cat, NULL, &raw[n]), 0);
		tags[n] = buf_bytes(&raw[n]);
		n++;
	}
	*e = (struct error){ 0 };
	result = release_verify(buf_bytes(&commit), tags, n, s, &r, e);
	cr_assert_eq(result == 0, r != NULL);
	while (n > 0)
		buf_release(&raw[--n]);
	return result;
}

static void expect_short(const struct signers *s, const char *text, const char *why)
{
	struct error e;

	cr_expect_eq(verify(s, &e), E_UNTRUSTED, "%s", why);
	cr_expect(strstr(e.text, text), "%s: %s", why, e.text);
}

Test(tag, as_many_as_the_threshold_asks_for)
{
	autosigners two = signers_of(2, "r@x r\na@x a\nb@x b");
	autosigners three = signers_of(3, "r@x r\na@x a\nb@x b");
	struct error e;

	expect_short(two, "1 of 2 signatures", "no tag");
	tag_as("osupdate/7/a", "a");
	cr_assert_eq(verify(two, &e), 0, "%s", e.text);
	shell("git verify-tag osupdate/7/a", NULL);
	expect_short(three, "2 of 3 signatures", "one tag");
	tag_as("osupdate/7/b", "b");
	cr_assert_eq(verify(three, &e), 0, "%s", e.text);
}

Test(tag, distinct_keys_of_distinct_principals_count)
{
	autosigners two = signers_of(2, "r@x r\nr@x a\nx@x,r@x b\nc@x c");
	struct error e;

	tag_as("osupdate/7/r", "r");
	expect_short(two, "r@x has signed already", "the same key");
	tag_as("osupdate/7/a", "a");
	expect_short(two, "1 of 2", "another key of the same person");
	tag_as("osupdate/7/b", "b");
	expect_short(two, "1 of 2", "a person with the same name among others");
	tag_as("osupdate/7/c", "c");
	cr_assert_eq(verify(two, &e), 0, "%s", e.text);
}

Test(tag, that_do_not_hold_are_not_counted)
{
	autosigners two = signers_of(2, "r@x r\na@x a");
	autosigners revoked = signers_of(2, "r@x r\na@x a");
	autosigners late = NULL;
	autobuf key = { 0 };
	struct error e;
	static const struct {
		const char *make;
		const char *text;
	} cases[] = {
		{ "git -c user.signingkey=b.pub tag -s -F message osupdate/7/b", "key" },
		{ "git tag -a -F message osupdate/7/a", "not signed" },
		{ "git -c user.signingkey=a.pub tag -s -F message osupdate/8/a",
			"not named osupdate/7/" },
		{ "git -c user.signingkey=a.pub tag -s -F message other",
			"not named osupdate/7/" },
		{ "git -c user.signingkey=a.pub tag -s -m none osupdate/7/a",
			"Osupdate-" },
		{ "sed s/7.0/7.1/ message >m; "
		  "git -c user.signingkey=a.pub tag -s -F m osupdate/7/a",
			"other trailers" },
		{ "sed 's/ 77$/ 78/' message >m; "
		  "git -c user.signingkey=a.pub tag -s -F m osupdate/7/a",
			"other trailers" },
		{ "git -c user.signingkey=a.pub tag -s -F message osupdate/7/a "
		  "HEAD^{tree}",
			"something else" },
		{ "git -c user.signingkey=a.pub commit -q -S --allow-empty -F message; "
		  "git -c user.signingkey=a.pub tag -s -F message osupdate/7/a; "
		  "git reset -q --hard HEAD^",
			"something else" },
		{ "git -c user.signingkey=a.pub tag -s -F message osupdate/7/a; "
		  "git cat-file tag osupdate/7/a | sed 's/^tagger R/tagger S/' | "
		  "git hash-object -t tag -w --stdin >id; "
		  "git update-ref refs/tags/osupdate/7/a $(cat id)",
			"signature" },
		{ "git -c user.signingkey=a.pub tag -s -F message osupdate/7/a; "
		  "{ git cat-file tag osupdate/7/a; echo more; } | "
		  "git hash-object -t tag -w --stdin >id; "
		  "git update-ref refs/tags/osupdate/7/a $(cat id)",
			"" },
		{ "git -c user.signingkey=a.pub tag -s -F message osupdate/7/a; "
		  "git cat-file tag osupdate/7/a >t; { cat t; sed -n '/BEGIN/,$p' t; } | "
		  "git hash-object -t tag -w --stdin >id; "
		  "git update-ref refs/tags/osupdate/7/a $(cat id)",
			"not signed once" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		shell(cases[i].make, NULL);
		expect_short(two, "1 of 2 signatures", cases[i].make);
		expect_short(two, cases[i].text, cases[i].make);
		shell("git tag -d $(git tag)", NULL);
	}
	/* Such a tag takes nothing from a good one. */
	shell(cases[0].make, NULL);
	shell(cases[5].make, NULL);
	tag_as("osupdate/7/z", "a");
	cr_assert_eq(verify(two, &e), 0, "%s", e.text);
	shell("git tag -d other osupdate/7/a osupdate/7/b || true", NULL);
	shell("cut -d' ' -f1,2 a.pub", &key);
	cr_assert_eq(signers_revoke(revoked, "revoked", buf_bytes(&key), NULL), 0);
	expect_short(revoked, "revoked", "a revoked key");
	shell("sed -i '/^a@x/s/namespaces/valid-before=\"20200101Z\",namespaces/' "
	      "allowed_signers; cat allowed_signers",
		(buf_reset(&key), &key));
	cr_assert_eq(signers_parse("allowed_signers", buf_bytes(&key), &late, &e), 0);
	expect_short(
		late, "no longer valid", "a key whose time was over at the commit's");
}

/* Found by fuzzing: it was looked at for ever. */
Test(tag, that_begins_with_a_newline_is_none)
{
	static const char text[] = "\nOsupdate-Serial: 12\n\ntag osupdate/7/a\n";
	static const char *const head[] = { "git", "cat-file", "commit", "HEAD", NULL };
	const struct bytes tags[] = { bytes_of(text) };
	autosigners two = signers_of(2, "r@x r\na@x a");
	struct release *r = NULL;
	struct error e = { 0 };
	autobuf commit = { 0 };

	cr_assert_eq(scratch_run(head, NULL, &commit), 0);
	cr_assert_eq(
		release_verify(buf_bytes(&commit), tags, 1, two, &r, &e), E_UNTRUSTED);
}

/* Stock git always writes it: without it, one signature would have two spellings. */
Test(tag, without_its_last_newline_is_none)
{
	autosigners two = signers_of(2, "r@x r\na@x a");
	struct error e;

	tag_as("osupdate/7/a", "a");
	cr_assert_eq(verify(two, &e), 0, "%s", e.text);
	shell("git update-ref refs/tags/osupdate/7/a \"$(git cat-file tag osupdate/7/a | "
	      "head -c -1 | git hash-object -t tag -w --stdin --literally)\"",
		NULL);
	expect_short(two, "1 of 2", "the last newline is not there");
}

Test(tag, no_flipped_bit_is_counted)
{
	static const char *const cat[] = { "git", "cat-file", "tag", "osupdate/7/a",
		NULL };
	static const char *const head[] = { "git", "cat-file", "commit", "HEAD", NULL };
	autosigners two = signers_of(2, "r@x r\na@x a");
	autobuf commit = { 0 };
	autobuf tag = { 0 };
	size_t step = 1;

	tag_as("osupdate/7/a", "a");
	cr_assert_eq(scratch_run(head, NULL, &commit), 0);
	cr_assert_eq(scratch_run(cat, NULL, &tag), 0);
	for (size_t bit = 0; bit < 8 * tag.size; bit += step) {
		struct bytes tags[] = { buf_bytes(&tag) };
		autorelease r = NULL;
		struct error e = { 0 };

		tag.data[bit / 8] = (char)(tag.data[bit / 8] ^ (1 << bit % 8));
		cr_expect_eq(release_verify(buf_bytes(&commit), tags, 1, two, &r, &e),
			E_UNTRUSTED, "bit %zu", bit);
		tag.data[bit / 8] = (char)(tag.data[bit / 8] ^ (1 << bit % 8));
	}
	for (size_t size = 0; size < tag.size - 1; size++) { /* a last newline is free */
		struct bytes tags[] = { { (unsigned char *)tag.data, size } };
		autorelease r = NULL;
		struct error e = { 0 };

		cr_expect_eq(release_verify(buf_bytes(&commit), tags, 1, two, &r, &e),
			E_UNTRUSTED, "cut at %zu", size);
	}
}
