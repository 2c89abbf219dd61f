/* A disk that is lost: from the n-th call that opens or reads a file of a folder, each such call fails.
   Loaded with LD_PRELOAD; armed from inside by ctypes, so that one process tries every n. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char folder[4096];
static int error_number, fails_at, calls, failed, only_once, mapped;

void fault_arm(const char *where, int number, int at, int once) {
    snprintf(folder, sizeof folder, "%s", where);
    error_number = number; fails_at = at; calls = 0; failed = 0; only_once = once; mapped = 0;
}
int fault_disarm(void) { folder[0] = 0; return failed; }
int fault_mapped(void) { return mapped; }

static int is_ours(const char *path) { return folder[0] && path && strstr(path, folder) != NULL; }

static int fd_is_ours(int fd) {
    char link[64], path[4096];
    if (!folder[0] || fd < 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0) return 0;
    path[size] = 0;
    return is_ours(path);
}

static int fails(void) {
    calls++;
    if (calls < fails_at || (only_once && failed)) return 0;
    failed++;
    errno = error_number;
    return 1;
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name)

static int is_folder(const char *path) { struct stat found; return stat(path, &found) == 0 && S_ISDIR(found.st_mode); }

#define OPEN(name) int name(const char *path, int flags, ...) { \
    REAL(name); va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
    if (is_ours(path) && !is_folder(path) && fails()) return -1; return real(path, flags, mode); }
OPEN(open)
OPEN(open64)

#define OPENAT(name) int name(int at, const char *path, int flags, ...) { \
    REAL(name); va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
    if (is_ours(path) && !is_folder(path) && fails()) return -1; return real(at, path, flags, mode); }
OPENAT(openat)
OPENAT(openat64)

ssize_t read(int fd, void *to, size_t size) {
    REAL(read); if (fd_is_ours(fd) && fails()) return -1; return real(fd, to, size); }
ssize_t pread(int fd, void *to, size_t size, off_t at) {
    REAL(pread); if (fd_is_ours(fd) && fails()) return -1; return real(fd, to, size, at); }
ssize_t pread64(int fd, void *to, size_t size, off64_t at) {
    REAL(pread64); if (fd_is_ours(fd) && fails()) return -1; return real(fd, to, size, at); }
ssize_t readv(int fd, const struct iovec *to, int count) {
    REAL(readv); if (fd_is_ours(fd) && fails()) return -1; return real(fd, to, count); }
/* A fault in a mapping is a SIGBUS, which nothing survives: that a source is mapped is what a test wants to know. */
void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
    REAL(mmap); if (fd_is_ours(fd)) mapped++; return real(at, size, protection, flags, fd, offset); }
void *mmap64(void *at, size_t size, int protection, int flags, int fd, off64_t offset) {
    REAL(mmap64); if (fd_is_ours(fd)) mapped++; return real(at, size, protection, flags, fd, offset); }
FILE *fopen(const char *path, const char *mode) {
    REAL(fopen); if (is_ours(path) && fails()) return NULL; return real(path, mode); }
FILE *fopen64(const char *path, const char *mode) {
    REAL(fopen64); if (is_ours(path) && fails()) return NULL; return real(path, mode); }
size_t fread(void *to, size_t size, size_t count, FILE *file) {
    REAL(fread); if (fd_is_ours(fileno(file)) && fails()) return 0; return real(to, size, count, file); }
