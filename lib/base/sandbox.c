/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/attr.h"
#include "lib/base/sandbox_landlock.h"

#define SYS(name)                     \
	{                             \
		SCMP_SYS(name), #name \
	}

struct call {
	int nr;
	const char *name;
};

/* clang-format off */

/* All the renderer may ask of the kernel, arguments unseen. */
static const struct call render_allow[] = {
	/* open descriptors: reading, answering, waiting */
	SYS(read), SYS(readv), SYS(pread64), SYS(preadv), SYS(lseek),
	SYS(write), SYS(writev), SYS(close), SYS(fadvise64),
	SYS(accept), SYS(accept4), SYS(recvfrom), SYS(recvmsg), SYS(sendto),
	SYS(sendmsg), SYS(shutdown), SYS(getsockopt), SYS(getsockname),
	SYS(poll), SYS(ppoll),
	/* names: only looked at, landlock says which may be opened */
	SYS(fstat), SYS(newfstatat), SYS(statx), SYS(stat), SYS(lstat),
	SYS(access), SYS(faccessat), SYS(faccessat2), SYS(readlink),
	SYS(readlinkat), SYS(getdents64), SYS(getcwd),
	/* memory */
	SYS(brk), SYS(munmap), SYS(mremap), SYS(madvise),
	/* time, chance, waiting on ourselves */
	SYS(clock_gettime), SYS(clock_getres), SYS(clock_nanosleep),
	SYS(nanosleep), SYS(gettimeofday), SYS(time), SYS(getrandom),
	SYS(futex), SYS(sched_yield), SYS(sched_getaffinity), SYS(rseq),
	SYS(set_robust_list), SYS(restart_syscall),
	/* who we are, signals, the end */
	SYS(getpid), SYS(gettid), SYS(getppid), SYS(getuid), SYS(geteuid),
	SYS(getgid), SYS(getegid), SYS(uname), SYS(getrusage),
	SYS(sysinfo),
	SYS(rt_sigaction), SYS(rt_sigprocmask), SYS(rt_sigreturn),
	SYS(rt_sigpending), SYS(sigaltstack), SYS(exit), SYS(exit_group),
};

#ifdef SANITIZER_BUILD
/* Only in sanitizer builds: their run-time library asks for these. */
static const struct call sanitizer_allow[] = {
	SYS(prctl), SYS(clone), SYS(clone3), SYS(wait4), SYS(ptrace),
	SYS(mmap), SYS(mprotect), SYS(arch_prctl), SYS(set_tid_address),
	SYS(tgkill), SYS(tkill), SYS(kill), SYS(pipe), SYS(pipe2),
	SYS(dup), SYS(dup2), SYS(dup3), SYS(fcntl), SYS(ioctl), SYS(openat),
	SYS(open), SYS(prlimit64), SYS(getrlimit), SYS(setrlimit),
	SYS(personality), SYS(process_vm_readv),
	SYS(getdents), SYS(membarrier), SYS(sched_getparam),
	SYS(sched_getscheduler),
	SYS(rt_sigtimedwait), SYS(rt_sigsuspend),
};
#else
/* What the C library tries and can do without: refused softly in both
 * modes, so that trying is not fatal. */
static const struct call render_soft[] = {
	SYS(ioctl), SYS(membarrier),
};
#endif

/* No part of the controller's work, and the tools of whoever takes it
 * over. */
static const struct call controller_deny[] = {
#ifndef SANITIZER_BUILD /* the leak checker stops its process by ptrace */
	SYS(ptrace),
#endif
	SYS(execve), SYS(execveat), SYS(process_vm_readv),
	SYS(process_vm_writev), SYS(pidfd_getfd), SYS(process_madvise),
	SYS(kcmp),
	SYS(mount), SYS(umount2), SYS(pivot_root), SYS(chroot),
	SYS(open_tree), SYS(move_mount), SYS(fsopen), SYS(fsconfig),
	SYS(fsmount), SYS(fspick), SYS(mount_setattr),
	SYS(open_by_handle_at), SYS(unshare), SYS(setns),
	SYS(init_module), SYS(finit_module), SYS(delete_module),
	SYS(kexec_load), SYS(kexec_file_load), SYS(bpf),
	SYS(perf_event_open), SYS(userfaultfd), SYS(add_key),
	SYS(request_key), SYS(keyctl), SYS(reboot), SYS(swapon),
	SYS(swapoff), SYS(settimeofday), SYS(clock_settime),
	SYS(clock_adjtime), SYS(adjtimex), SYS(sethostname),
	SYS(setdomainname), SYS(iopl), SYS(ioperm), SYS(acct),
	SYS(quotactl), SYS(vhangup), SYS(syslog), SYS(lookup_dcookie),
	SYS(personality), SYS(mknod), SYS(mknodat), SYS(setuid),
	SYS(setgid), SYS(setreuid), SYS(setregid), SYS(setresuid),
	SYS(setresgid), SYS(setgroups), SYS(capset),
};

/* Libraries probe for these and fall back when they are not there. */
static const struct call controller_absent[] = {
	SYS(io_uring_setup), SYS(io_uring_enter), SYS(io_uring_register),
	SYS(clone3),
};
/* clang-format on */

/* A filter being built: the first failure sticks. */
struct filter {
	scmp_filter_ctx ctx;
	struct err *e;
	enum rc rc;
};

static void
rule(struct filter *f, uint32_t action, const struct call *call,
    const struct scmp_arg_cmp *cmp)
{
	int r;

	if (f->rc != RC_OK)
		return;
	if (cmp == NULL)
		r = seccomp_rule_add_array(f->ctx, action, call->nr, 0, NULL);
	else
		r = seccomp_rule_add_array(f->ctx, action, call->nr, 1, cmp);
	/* Not every machine has every call, and what the default action does
	 * anyway needs no rule. */
	if (r == -EDOM || r == -EACCES)
		return;
	if (r != 0)
		f->rc =
		    err_errno(f->e, -r, "sandbox: no rule for %s", call->name);
}

static void
rules(struct filter *f, uint32_t action, const struct call *calls, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		rule(f, action, &calls[i], NULL);
}

static void
rule_arg(struct filter *f, uint32_t action, struct call call,
    struct scmp_arg_cmp cmp)
{
	rule(f, action, &call, &cmp);
}

/* True for arguments that have exactly these of the bits in mask. */
static struct scmp_arg_cmp
arg_bits(unsigned arg, uint64_t mask, uint64_t bits)
{
	return (struct scmp_arg_cmp){ arg, SCMP_CMP_MASKED_EQ, mask, bits };
}

/* The kernel looks at the lower half of an int argument only; so do we, or
 * bits above it would slip by. */
static struct scmp_arg_cmp
arg_int(unsigned arg, uint64_t value)
{
	return arg_bits(arg, UINT32_MAX, value);
}

#ifndef SANITIZER_BUILD
/* The calls of the renderer that are allowed for some arguments only. */
static void
render_narrow(struct filter *f)
{
	static const int fcntls[] = { F_GETFD, F_SETFD, F_GETFL, F_SETFL };
	const uint64_t writing = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND;
	const uint32_t allow = SCMP_ACT_ALLOW;
	size_t i;

	rule_arg(f, allow, (struct call)SYS(openat), arg_bits(2, writing, 0));
	rule_arg(f, allow, (struct call)SYS(open), arg_bits(1, writing, 0));
	rule_arg(f, allow, (struct call)SYS(mmap), arg_bits(2, PROT_EXEC, 0));
	rule_arg(f, allow, (struct call)SYS(mprotect),
	    arg_bits(2, PROT_EXEC, 0));
	/* abort() signals its own process, nobody else. */
	rule_arg(f, allow, (struct call)SYS(tgkill),
	    arg_int(0, (uint64_t)getpid()));
	/* Limits may be asked for, not set. */
	rule_arg(f, allow, (struct call)SYS(prlimit64),
	    arg_bits(2, UINT64_MAX, 0));
	for (i = 0; i < ARRAY_LEN(fcntls); i++)
		rule_arg(f, allow, (struct call)SYS(fcntl),
		    arg_int(1, (uint64_t)fcntls[i]));
}
#endif

static void
render_rules(struct filter *f)
{
	rules(f, SCMP_ACT_ALLOW, render_allow, ARRAY_LEN(render_allow));
#ifdef SANITIZER_BUILD
	rules(f, SCMP_ACT_ALLOW, sanitizer_allow, ARRAY_LEN(sanitizer_allow));
#else
	rules(f, SCMP_ACT_ERRNO(EPERM), render_soft, ARRAY_LEN(render_soft));
	render_narrow(f);
#endif
}

static void
controller_rules(struct filter *f, uint32_t refuse)
{
	static const unsigned namespaces[] = { CLONE_NEWNS, CLONE_NEWUSER,
		CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWUTS, CLONE_NEWIPC,
		CLONE_NEWCGROUP };
	const uint64_t domains[] = { AF_PACKET, AF_ALG, AF_VSOCK, AF_BLUETOOTH,
		AF_CAN, AF_RDS, AF_TIPC, AF_XDP, AF_KEY };
	size_t i;

	rules(f, refuse, controller_deny, ARRAY_LEN(controller_deny));
	rules(f, SCMP_ACT_ERRNO(ENOSYS), controller_absent,
	    ARRAY_LEN(controller_absent));
	for (i = 0; i < ARRAY_LEN(namespaces); i++)
		rule_arg(f, refuse, (struct call)SYS(clone),
		    arg_bits(0, namespaces[i], namespaces[i]));
	for (i = 0; i < ARRAY_LEN(domains); i++)
		rule_arg(f, refuse, (struct call)SYS(socket),
		    arg_int(0, domains[i]));
}

static enum rc
enter_seccomp(const struct sandbox_opts *o, struct err *e)
{
	const uint32_t refuse = o->mode == SANDBOX_KILL ? SCMP_ACT_KILL_PROCESS
	                                                : SCMP_ACT_ERRNO(EPERM);
	const bool render = o->profile == SANDBOX_RENDER;
	struct filter f = { .e = e };
	int r;

	f.ctx = seccomp_init(render ? refuse : SCMP_ACT_ALLOW);
	if (f.ctx == NULL)
		return err_set(e, RC_IO, "sandbox: libseccomp does not start");
	r = seccomp_attr_set(f.ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r != 0)
		f.rc = err_errno(e, -r, "sandbox: cannot cover all threads");
	if (render)
		render_rules(&f);
	else
		controller_rules(&f, refuse);
	if (f.rc == RC_OK && (r = seccomp_load(f.ctx)) != 0)
		f.rc = err_errno(e, -r,
		    "sandbox: the kernel refuses the "
		    "system call filter (seccomp)");
	seccomp_release(f.ctx);
	return f.rc;
}

static enum rc
enter_limits(const struct sandbox_opts *o, struct err *e)
{
#ifndef SANITIZER_BUILD
	const struct rlimit data = { o->data_bytes, o->data_bytes };

	if (o->data_bytes > 0 && setrlimit(RLIMIT_DATA, &data) != 0)
		return err_errno(e, errno, "sandbox: cannot limit memory");
#else
	(void)o; /* shadow memory would pass any limit */
#endif
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_errno(e, errno,
		    "sandbox: cannot forbid new privileges");
	return RC_OK;
}

enum rc
sandbox_enter(const struct sandbox_opts *o, bool *landlock, struct err *e)
{
	/* The controller may do without: its unit file restricts paths. */
	const bool wanted = o->profile == SANDBOX_RENDER ||
	                    o->read_paths != NULL || o->write_paths != NULL;
	bool have = false;
	enum rc rc;

	if ((rc = enter_limits(o, e)) != RC_OK)
		return rc;
	if (wanted) {
		rc = sandbox_landlock(o->read_paths, o->write_paths, &have, e);
		if (rc != RC_OK)
			return rc;
	}
	if ((rc = enter_seccomp(o, e)) != RC_OK)
		return rc;
	if (landlock != NULL)
		*landlock = have;
	return RC_OK;
}
