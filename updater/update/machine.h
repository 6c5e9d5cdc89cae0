/* SPDX-License-Identifier: MIT */
/*
 * The state machine, as data: phase x event -> action, next phase.  Pure: it reads
 * no file and calls nothing.  Whoever acts on a transition saves the record before
 * each effect it announces.  Drawn, with the reasons, in doc/state-machine.md.
 */
#ifndef UPDATE_MACHINE_H
#define UPDATE_MACHINE_H

enum phase {
	PHASE_IDLE,
	PHASE_APPLYING,	  /* the target slot is being written */
	PHASE_ARMING,	  /* sealed; the hook is being asked to make it primary */
	PHASE_ARMED,	  /* primary, on trial at the next boot */
	PHASE_TRIAL,	  /* booted, not yet confirmed */
	PHASE_CONFIRMING, /* the hook is being asked to mark it good */
	PHASE_COUNT
};

enum event {
	/* observed when a program starts, from the record and what is booted */
	EVENT_AT_TARGET,       /* booted = target */
	EVENT_ELSEWHERE,       /* booted != target, same kernel boot as the record */
	EVENT_ELSEWHERE_AGAIN, /* booted != target, in a new kernel boot */
	EVENT_RETRY, /* it fell back, and nothing says the release is to blame */
	/* asked for */
	EVENT_INSTALL,	 /* begin to write the target */
	EVENT_SEALED,	 /* the target holds the release */
	EVENT_ARMED,	 /* the hook made the target primary */
	EVENT_CONFIRM,	 /* a person or health check says it is good */
	EVENT_CONFIRMED, /* the hook marked it good */
	EVENT_ROLLBACK,	 /* a person goes back */
	EVENT_COUNT
};

enum action {
	ACTION_NONE,
	ACTION_REFUSE,	    /* not in this phase; the text says what to do */
	ACTION_APPLY,	    /* write the target slot */
	ACTION_RESUME,	    /* crashed while writing: plan again, keep what is right */
	ACTION_ARM,	    /* call set-primary for the target */
	ACTION_ARM_AGAIN,   /* crashed while arming: once more, then deny */
	ACTION_BEGIN_TRIAL, /* record that the target is booted */
	ACTION_FELL_BACK,   /* the loader went back by itself: deny with the cause */
	ACTION_MARK_GOOD,   /* call set-state good for the booted slot */
	ACTION_FINISH,	    /* floor, denials, idle */
	ACTION_DISARM,	    /* target bad, booted slot primary, deny */
	ACTION_END_TRIAL,   /* booted target bad, other slot primary, deny */
	ACTION_SWITCH,	    /* make the other, good slot primary; deny what is booted */
};

struct transition {
	enum action action;
	enum phase next;
};

struct transition machine_step(enum phase phase, enum event event);

const char *phase_name(enum phase phase);
/* PHASE_COUNT when `name` is none. */
enum phase phase_by_name(const char *name, unsigned long n);
const char *event_name(enum event event);
const char *action_name(enum action action);

#endif
