/* A disk and a wall clock that do as they are told, preloaded into the program: writes and syncs of the files whose path
 * holds $FEEDTAPE_DISK_OF fail, wait or are left out, and the clock steps or cannot be read, as the file $FEEDTAPE_MACHINE says, which the
 * test writes and both see. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* In the order of `Switch` in machine.rs. */
struct control {
    long write_error;   /* errno of failing writes; negative: the process is killed instead */
    long write_at;      /* 0: all of them fail; n: the nth only */
    long sync_error;
    long sync_at;
    long sync_delay_ms;
    long sync_is_left_out;
    long writes;        /* counted here */
    long syncs;
    long fired;
    long clock_ms;      /* by how much the wall clock is wrong */
    long clock_fails;   /* for 1: the first thread, 2: the others; 0: for nobody */
    long clock_works;   /* so often before it fails */
};

static struct control *control;
static const char *of;
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_pwrite64)(int, const void *, size_t, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_ftruncate64)(int, off64_t);
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    real_pwrite = dlsym(RTLD_NEXT, "pwrite");
    real_pwrite64 = dlsym(RTLD_NEXT, "pwrite64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate");
    real_ftruncate64 = dlsym(RTLD_NEXT, "ftruncate64");
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("FEEDTAPE_MACHINE");
    of = getenv("FEEDTAPE_DISK_OF");
    int fd = path && of ? open(path, O_RDWR) : -1;
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    control = mapped == MAP_FAILED ? NULL : mapped;
    close(fd);
}

static int is_ours(int fd) {
    char link[64], path[4096];
    if (!control)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0)
        return 0;
    path[n] = 0;
    return strstr(path, of) && !strstr(path, ".lock");
}

static int fails(long n, long error, long at) {
    if (!error || (at && at != n))
        return 0;
    __atomic_add_fetch(&control->fired, 1, __ATOMIC_SEQ_CST);
    if (error < 0)
        raise(SIGKILL);
    errno = (int)error;
    return 1;
}

static int write_fails(int fd) {
    if (!is_ours(fd))
        return 0;
    long n = __atomic_add_fetch(&control->writes, 1, __ATOMIC_SEQ_CST);
    return fails(n, control->write_error, control->write_at);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    return write_fails(fd) ? -1 : real_pwrite(fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    return write_fails(fd) ? -1 : real_pwrite64(fd, bytes, count, at);
}

int ftruncate(int fd, off_t size) {
    return write_fails(fd) ? -1 : real_ftruncate(fd, size);
}

int ftruncate64(int fd, off64_t size) {
    return write_fails(fd) ? -1 : real_ftruncate64(fd, size);
}

static int sync_by(int (*really)(int), int fd) {
    if (!is_ours(fd))
        return really(fd);
    long n = __atomic_add_fetch(&control->syncs, 1, __ATOMIC_SEQ_CST);
    long ms = control->sync_delay_ms;
    struct timespec wait = {ms / 1000, ms % 1000 * 1000000};
    while (ms && nanosleep(&wait, &wait) && errno == EINTR)
        ;
    if (fails(n, control->sync_error, control->sync_at))
        return -1;
    return control->sync_is_left_out ? 0 : really(fd);
}

int fsync(int fd) {
    return sync_by(real_fsync, fd);
}

int fdatasync(int fd) {
    return sync_by(real_fdatasync, fd);
}

static int clock_fails(void) {
    if (!control || !control->clock_fails || control->clock_fails != (gettid() == getpid() ? 1 : 2))
        return 0;
    return __atomic_sub_fetch(&control->clock_works, 1, __ATOMIC_SEQ_CST) < 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (clock_fails()) {
        errno = EINVAL;
        return -1;
    }
    /* Asked by other libraries before this one has begun. */
    if (!real_clock_gettime)
        real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real_clock_gettime(clock, now);
    if (!result && control && clock == CLOCK_REALTIME) {
        now->tv_sec += control->clock_ms / 1000;
        now->tv_nsec += control->clock_ms % 1000 * 1000000;
        if (now->tv_nsec >= 1000000000 || now->tv_nsec < 0) {
            long carry = now->tv_nsec < 0 ? -1 : 1;
            now->tv_sec += carry;
            now->tv_nsec -= carry * 1000000000;
        }
    }
    return result;
}
