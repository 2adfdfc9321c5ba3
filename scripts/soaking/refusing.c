/* Preloaded before libc: lets writes and flushes of files below a folder fail when told to, and counts the
   files that were written and not flushed since.

   SOAK_FOLDER names the folder, SOAK_CONTROL a file of three numbers that both sides have mapped:
   countdown   the how-manieth call from now fails, and each after it while `stays` is set; 0: none
   kinds       1 write, 2 flush, 3 both
   code        the errno it fails with
   stays       whether all later calls fail as well
   refused     how many calls were refused
   dirty       files with bytes that no flush has made durable */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, FLUSH = 2, MOST_FILES = 4096 };

struct control { volatile long countdown, kinds, code, stays, refused, dirty; };

static struct control *control;
static const char *folder;
static char is_dirty[MOST_FILES];

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("SOAK_CONTROL");
  folder = getenv("SOAK_FOLDER");
  if (!path || !folder) return;
  int file = open(path, O_RDWR);
  if (file < 0) return;
  void *mapped = mmap(0, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapped != MAP_FAILED) control = mapped;
  close(file);
}

static int is_ours(int file) {
  char link[64], path[4096];
  if (!control || file < 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  /* What processes share of a database is memory with a name: it is made anew after a crash. */
  if (length > 4 && strcmp(path + length - 4, "-shm") == 0) return 0;
  return strncmp(path, folder, strlen(folder)) == 0;
}

static void mark(int file, int dirty) {
  if (file >= MOST_FILES || is_dirty[file] == dirty) return;
  is_dirty[file] = dirty;
  control->dirty += dirty ? 1 : -1;
}

/* Whether this call is to fail; errno is set then. */
static int refuses(int kind) {
  if (control->countdown <= 0 || !(control->kinds & kind)) return 0;
  if (control->countdown > 1) { control->countdown--; return 0; }
  if (!control->stays) control->countdown = 0;
  control->refused++;
  errno = (int)control->code;
  return 1;
}

#define REAL(name) \
  static __typeof__(name) *real; \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define WRITES(file) \
  if (is_ours(file)) { if (refuses(WRITE)) return -1; mark(file, 1); }

#define FLUSHES(file) \
  if (is_ours(file)) { if (refuses(FLUSH)) return -1; mark(file, 0); }

ssize_t write(int file, const void *bytes, size_t count) {
  REAL(write); WRITES(file) return real(file, bytes, count);
}
ssize_t writev(int file, const struct iovec *parts, int count) {
  REAL(writev); WRITES(file) return real(file, parts, count);
}
ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) {
  REAL(pwrite); WRITES(file) return real(file, bytes, count, at);
}
ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
  REAL(pwrite64); WRITES(file) return real(file, bytes, count, at);
}
int ftruncate(int file, off_t length) {
  REAL(ftruncate); WRITES(file) return real(file, length);
}
int ftruncate64(int file, off64_t length) {
  REAL(ftruncate64); WRITES(file) return real(file, length);
}
int fsync(int file) { REAL(fsync); FLUSHES(file) return real(file); }
int fdatasync(int file) { REAL(fdatasync); FLUSHES(file) return real(file); }
int close(int file) {
  REAL(close);
  /* Snapshots are written, closed, and flushed through another descriptor: only the catalog stays open. */
  if (control && file >= 0 && file < MOST_FILES && is_dirty[file]) mark(file, 0);
  return real(file);
}
