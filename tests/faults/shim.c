/* Kills the process, or has an operation fail, at the n-th operation on files below a folder.
 *
 * It is preloaded (LD_PRELOAD), and looks into a file of FAULT_STATE that all processes map:
 *
 *     count    operations so far that were on files below root, by all processes
 *     at       the one that is to fail; 0 for none
 *     error    what it fails with; 0 kills the process, in the middle of the operation if it writes
 *     root     the folder, with a slash at its end
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct state {
    long count, at, error;
    char root[1000];
};

static struct state *state;

__attribute__((constructor)) static void map_state(void) {
    const char *path = getenv("FAULT_STATE");
    if (!path) return;
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    int fd = real(path, O_RDWR);
    if (fd < 0) return;
    void *mapped = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped != MAP_FAILED) state = mapped;
    close(fd);
}

/* Returns whether a path, relative to an open folder or not, lies below the root. */
static int is_below(int folder, const char *path) {
    char whole[2 * PATH_MAX], link[64];
    if (!state || !state->root[0] || !path) return 0;
    if (path[0] != '/') {
        ssize_t length;
        if (folder == AT_FDCWD) {
            if (!getcwd(whole, PATH_MAX)) return 0;
            length = strlen(whole);
        } else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            if ((length = readlink(link, whole, PATH_MAX)) < 0) return 0;
        }
        snprintf(whole + length, PATH_MAX, "/%s", path);
        path = whole;
    }
    return strncmp(path, state->root, strlen(state->root)) == 0;
}

static int is_open_below(int fd) {
    char link[64], path[PATH_MAX];
    if (!state || !state->root[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return path[0] == '/' && is_below(AT_FDCWD, path); /* a pipe has no path */
}

/* Counts an operation; returns whether it is to fail with errno, and does not return where it kills. */
static int fails(int counted) {
    if (!counted) return 0;
    long number = __atomic_add_fetch(&state->count, 1, __ATOMIC_SEQ_CST);
    if (number != state->at) return 0;
    if (!state->error) {
        kill(getpid(), SIGKILL);
        pause();
    }
    errno = (int)state->error;
    return 1;
}

#define REAL(name) __typeof__(&name) real = dlsym(RTLD_NEXT, #name)

#define OPEN(name)                                   \
    int name(const char *path, int flags, ...) {     \
        REAL(name);                                  \
        va_list rest;                                \
        va_start(rest, flags);                       \
        mode_t mode = va_arg(rest, mode_t);          \
        va_end(rest);                                \
        if (fails(is_below(AT_FDCWD, path))) return -1; \
        return real(path, flags, mode);              \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                        \
    int name(int folder, const char *path, int flags, ...) { \
        REAL(name);                                         \
        va_list rest;                                       \
        va_start(rest, flags);                              \
        mode_t mode = va_arg(rest, mode_t);                 \
        va_end(rest);                                       \
        if (fails(is_below(folder, path))) return -1;       \
        return real(folder, path, flags, mode);             \
    }
OPENAT(openat)
OPENAT(openat64)

/* A process that is killed while it writes has written a part. */
ssize_t write(int fd, const void *content, size_t size) {
    REAL(write);
    int counted = is_open_below(fd);
    if (counted && !state->error && state->count + 1 == state->at && size > 1) real(fd, content, size / 2);
    if (fails(counted)) return -1;
    return real(fd, content, size);
}

#define PWRITE(name, offset_type)                                                  \
    ssize_t name(int fd, const void *content, size_t size, offset_type offset) {   \
        REAL(name);                                                                \
        int counted = is_open_below(fd);                                           \
        if (counted && !state->error && state->count + 1 == state->at && size > 1) \
            real(fd, content, size / 2, offset);                                   \
        if (fails(counted)) return -1;                                             \
        return real(fd, content, size, offset);                                    \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define OF_FILE(name)                           \
    int name(int fd) {                          \
        REAL(name);                             \
        if (fails(is_open_below(fd))) return -1; \
        return real(fd);                        \
    }
OF_FILE(fsync)
OF_FILE(fdatasync)

int rename(const char *from, const char *to) {
    REAL(rename);
    if (fails(is_below(AT_FDCWD, to))) return -1;
    return real(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    REAL(renameat);
    if (fails(is_below(to_folder, to))) return -1;
    return real(from_folder, from, to_folder, to);
}

int unlink(const char *path) {
    REAL(unlink);
    if (fails(is_below(AT_FDCWD, path))) return -1;
    return real(path);
}

int unlinkat(int folder, const char *path, int flags) {
    REAL(unlinkat);
    if (fails(is_below(folder, path))) return -1;
    return real(folder, path, flags);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    if (fails(is_below(AT_FDCWD, path))) return -1;
    return real(path, mode);
}

int mkdirat(int folder, const char *path, mode_t mode) {
    REAL(mkdirat);
    if (fails(is_below(folder, path))) return -1;
    return real(folder, path, mode);
}
