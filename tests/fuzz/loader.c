/* SPDX-License-Identifier: MIT */
/*
 * Every verb of a hook, one after the other, on what the input says the loader keeps.
 * What ends a hook's process unwinds its stack here, as cancelling a thread would: all
 * that it holds is given back, or leaks are seen.
 */
#include "loader.h"

#include <setjmp.h>
#include <unwind.h>

int hook_program(int argc, char **argv);
_Noreturn void fuzz_exit(int status);
int verb_run(const char *verb, const char *name, const char *state);

static jmp_buf back;

static _Unwind_Reason_Code at_frame(int version, _Unwind_Action actions,
	_Unwind_Exception_Class class, struct _Unwind_Exception *exception,
	struct _Unwind_Context *context, void *ctx)
{
	(void)version;
	(void)actions;
	(void)class;
	(void)exception;
	(void)ctx;
	if (_Unwind_GetRegionStart(context) == (_Unwind_Word)(uintptr_t)verb_run)
		longjmp(back, 1);
	return _URC_NO_REASON;
}

_Noreturn void fuzz_exit(int status)
{
	static struct _Unwind_Exception exception;

	(void)status;
	exception = (struct _Unwind_Exception){ 0 };
	(void)_Unwind_ForcedUnwind(&exception, at_frame, NULL);
	abort(); /* the frame was not found */
}

/* True when the hook did what it was asked. */
__attribute__((noinline)) int verb_run(
	const char *verb, const char *name, const char *state)
{
	char *argv[] = { (char *)(uintptr_t) "hook", (char *)(uintptr_t)verb,
		(char *)(uintptr_t)name, (char *)(uintptr_t)state, NULL };

	if (setjmp(back))
		return false;
	return hook_program(state ? 4 : name ? 3 : 2, argv) == 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	/* What a hook answers and complains of is not for the log. */
	static char quiet[] = "-close_fd_mask=3";
	static char *args[64];
	int n = *argc < 62 ? *argc : 62;

	for (int i = 0; i < n; i++)
		args[i] = (*argv)[i];
	args[n] = quiet;
	*argc = n + 1;
	*argv = args;
	loader_init();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	loader_put((struct bytes){ data, size });
	(void)verb_run("get-primary", NULL, NULL);
	(void)verb_run("get-state", "A", NULL);
	(void)verb_run("set-state", "B", "bad");
	if (verb_run("set-primary", "A", NULL)) {
		assert(verb_run("get-primary", NULL, NULL));
		assert(verb_run("set-primary", "A", NULL));
	}
	if (verb_run("set-state", "A", "good"))
		assert(verb_run("get-state", "A", NULL));
	if (verb_run("set-state", "B", "good")) {
		assert(verb_run("get-state", "B", NULL));
		assert(verb_run("set-state", "B", "good"));
	}
	return 0;
}
