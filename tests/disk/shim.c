/* A disk that fails at the n-th call: preloaded, it stands between a process and libc, SQLite's calls included.
 *
 * Counted are calls that touch what lies below one folder, of the classes asked for. At the n-th of them the call
 * fails with an errno, once or from then on, or the process is gone as if killed: a write may then be half done.
 * Reference: https://www.sqlite.org/testing.html#i_o_error_testing
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OPEN = 1, CREATE = 2, READ = 4, WRITE = 8, SYNC = 16, NAME = 32, REMOVE = 64, STAT = 128, LIST = 256, MARK = 512 };

static char root[4096];
static size_t length;
static long wanted, seen;
static int classes, number, lasting, fired;
static char what[8192];

/* Arm: the n-th call of these classes below the folder fails with the errno; 0: the process ends there. */
void fault_arm(const char *folder, long nth, int mask, int error, int lasts) {
    length = strlen(folder);
    memcpy(root, folder, length + 1);
    seen = 0; fired = 0; what[0] = 0;
    wanted = nth; classes = mask; number = error; lasting = lasts;
}
void fault_disarm(void) { classes = 0; }
long fault_seen(void) { return seen; }
const char *fault_what(void) { return what; }

static int below(const char *path) { return strncmp(path, root, length) == 0; }

static const char *place(int folder, const char *path, char *buffer) {
    char link[64];
    if (path && (path[0] == '/' || folder == AT_FDCWD)) return path;
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    long size = syscall(SYS_readlinkat, AT_FDCWD, link, buffer, 4000);
    buffer[size > 0 ? size : 0] = 0;
    if (path && size > 0) { strcat(buffer, "/"); strncat(buffer, path, 255); }
    return buffer;
}

/* Tell whether this call fails; errno is set then. */
static int hit(int class, const char *name, int folder, const char *path) {
    char buffer[4600];
    int before = errno;
    if (!(classes & class)) return 0;
    path = place(folder, path, buffer);
    errno = before;
    if (!below(path)) return 0;
    long now = __sync_add_and_fetch(&seen, 1);
    if (!wanted || now < wanted || (now > wanted && !lasting)) return 0;
    if (!fired) { fired = 1; snprintf(what, sizeof what, "%s %.4000s", name, path + length); }
    errno = number;
    return 1;
}
static void gone(void) { syscall(SYS_exit_group, 137); }

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)
#define FAIL(class, name, folder, path, result) \
    if (hit(class, name, folder, path)) { if (!number) gone(); return result; }

#define OPENER(fn) int fn(const char *path, int flags, ...) { \
    REAL(int, #fn, const char *, int, ...); mode_t mode = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); } \
    FAIL(flags & O_CREAT ? CREATE : OPEN, #fn, AT_FDCWD, path, -1) \
    return real(path, flags, mode); }
OPENER(open) OPENER(open64)
#define OPENER_AT(fn) int fn(int folder, const char *path, int flags, ...) { \
    REAL(int, #fn, int, const char *, int, ...); mode_t mode = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); } \
    FAIL(flags & O_CREAT ? CREATE : OPEN, #fn, folder, path, -1) \
    return real(folder, path, flags, mode); }
OPENER_AT(openat) OPENER_AT(openat64)

ssize_t read(int file, void *to, size_t size) {
    REAL(ssize_t, "read", int, void *, size_t); FAIL(READ, "read", file, NULL, -1) return real(file, to, size); }
#define PREAD(fn, offset) ssize_t fn(int file, void *to, size_t size, offset at) { \
    REAL(ssize_t, #fn, int, void *, size_t, offset); FAIL(READ, #fn, file, NULL, -1) return real(file, to, size, at); }
PREAD(pread, off_t) PREAD(pread64, off64_t)

ssize_t write(int file, const void *from, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    if (hit(WRITE, "write", file, NULL)) { if (!number) { real(file, from, size / 2); gone(); } return -1; }
    return real(file, from, size); }
#define PWRITE(fn, offset) ssize_t fn(int file, const void *from, size_t size, offset at) { \
    REAL(ssize_t, #fn, int, const void *, size_t, offset); \
    if (hit(WRITE, #fn, file, NULL)) { if (!number) { real(file, from, size / 2, at); gone(); } return -1; } \
    return real(file, from, size, at); }
PWRITE(pwrite, off_t) PWRITE(pwrite64, off64_t)
#define COPIER(fn) ssize_t fn(int to, int from, off64_t *at, size_t size) { \
    REAL(ssize_t, #fn, int, int, off64_t *, size_t); FAIL(WRITE, #fn, to, NULL, -1) return real(to, from, at, size); }
COPIER(sendfile) COPIER(sendfile64)

#define ON_FILE(class, fn) int fn(int file) { REAL(int, #fn, int); FAIL(class, #fn, file, NULL, -1) return real(file); }
ON_FILE(SYNC, fsync) ON_FILE(SYNC, fdatasync)
#define CUT(fn, offset) int fn(int file, offset size) { \
    REAL(int, #fn, int, offset); FAIL(WRITE, #fn, file, NULL, -1) return real(file, size); }
CUT(ftruncate, off_t) CUT(ftruncate64, off64_t)
int futimens(int file, const struct timespec times[2]) {
    REAL(int, "futimens", int, const struct timespec *); FAIL(MARK, "futimens", file, NULL, -1) return real(file, times); }

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *); FAIL(NAME, "rename", AT_FDCWD, to, -1) return real(from, to); }
int renameat(int here, const char *from, int there, const char *to) {
    REAL(int, "renameat", int, const char *, int, const char *);
    FAIL(NAME, "renameat", there, to, -1) return real(here, from, there, to); }
int link(const char *from, const char *to) {
    REAL(int, "link", const char *, const char *); FAIL(NAME, "link", AT_FDCWD, to, -1) return real(from, to); }
int linkat(int here, const char *from, int there, const char *to, int flags) {
    REAL(int, "linkat", int, const char *, int, const char *, int);
    FAIL(NAME, "linkat", there, to, -1) return real(here, from, there, to, flags); }
int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t); FAIL(NAME, "mkdir", AT_FDCWD, path, -1) return real(path, mode); }
int mkdirat(int folder, const char *path, mode_t mode) {
    REAL(int, "mkdirat", int, const char *, mode_t); FAIL(NAME, "mkdirat", folder, path, -1) return real(folder, path, mode); }
int unlink(const char *path) {
    REAL(int, "unlink", const char *); FAIL(REMOVE, "unlink", AT_FDCWD, path, -1) return real(path); }
int unlinkat(int folder, const char *path, int flags) {
    REAL(int, "unlinkat", int, const char *, int); FAIL(REMOVE, "unlinkat", folder, path, -1) return real(folder, path, flags); }
int rmdir(const char *path) {
    REAL(int, "rmdir", const char *); FAIL(REMOVE, "rmdir", AT_FDCWD, path, -1) return real(path); }

#define STATTER(fn, type) int fn(const char *path, struct type *to) { \
    REAL(int, #fn, const char *, struct type *); FAIL(STAT, #fn, AT_FDCWD, path, -1) return real(path, to); }
STATTER(stat, stat) STATTER(lstat, stat) STATTER(stat64, stat64) STATTER(lstat64, stat64)
#define STATTER_F(fn, type) int fn(int file, struct type *to) { \
    REAL(int, #fn, int, struct type *); FAIL(STAT, #fn, file, NULL, -1) return real(file, to); }
STATTER_F(fstat, stat) STATTER_F(fstat64, stat64)
#define STATTER_AT(fn, type) int fn(int folder, const char *path, struct type *to, int flags) { \
    REAL(int, #fn, int, const char *, struct type *, int); FAIL(STAT, #fn, folder, path, -1) return real(folder, path, to, flags); }
STATTER_AT(fstatat, stat) STATTER_AT(fstatat64, stat64)

DIR *opendir(const char *path) {
    REAL(DIR *, "opendir", const char *); FAIL(LIST, "opendir", AT_FDCWD, path, NULL) return real(path); }
DIR *fdopendir(int file) {
    REAL(DIR *, "fdopendir", int); FAIL(LIST, "fdopendir", file, NULL, NULL) return real(file); }
#define READER(fn, type) struct type *fn(DIR *folder) { \
    REAL(struct type *, #fn, DIR *); FAIL(LIST, #fn, dirfd(folder), NULL, NULL) return real(folder); }
READER(readdir, dirent) READER(readdir64, dirent64)
