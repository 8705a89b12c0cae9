/*
 * What the benchmarks run as daemons, and the few things that need to be exact: one small static program.
 * Times are CLOCK_MONOTONIC in ns, the clock of process.hrtime. A stamp is one line, "NAME PID NS", written whole into a FIFO.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 100, CHUNK = 65536, MAX_DAEMONS = 16 };

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void fail(const char *what) {
  fprintf(stderr, "mark: %s: %s\n", what, strerror(errno));
  exit(111);
}

/* Opened without waiting, so that nothing hangs once the benchmark is gone; written with waiting, so that no stamp is lost. */
static int stamp(const char *fifo, const char *name, int64_t time) {
  int fd = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) fail(fifo);
  fcntl(fd, F_SETFL, 0);
  char line[128];
  int length = snprintf(line, sizeof line, "%s %d %lld\n", name, (int)getpid(), (long long)time);
  if (write(fd, line, length) != length) fail(fifo);
  return fd;
}

/* exec FIFO PROGRAM ARGS…: stamps, then becomes the program. */
static void become(char **args) {
  close(stamp(args[0], "exec", now()));
  execvp(args[1], args + 1);
  fail(args[1]);
}

/* daemon FIFO NAME: stamps its first instruction, then waits for a signal. It holds the FIFO open as long as it lives. */
static void idle(char **args, int64_t started) {
  stamp(args[0], args[1], started);
  for (;;) pause();
}

/* flash FIFO NAME CODE MS: stamps, waits, exits. */
static void flash(char **args, int64_t started) {
  stamp(args[0], args[1], started);
  if (atoi(args[3]) > 0) usleep(atoi(args[3]) * 1000);
  exit(atoi(args[2]));
}

/* "<d1:0000000000:xxx…x>\n": the daemon's name, ten digits at DIGITS, filling up to LINE bytes. */
enum { DIGITS = 4, FILLING = 15 };

static void first_line(char *line, const char *name) {
  memset(line, 'x', LINE);
  memcpy(line, "<d1:0000000000:", FILLING);
  memcpy(line + 1, name, 2);
  line[LINE - 2] = '>';
  line[LINE - 1] = '\n';
}

static void count_up(char *line) {
  for (int i = FILLING - 2; i >= DIGITS && ++line[i] > '9'; i--) line[i] = '0';
}

static void write_all(const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = write(1, bytes, length);
    if (n < 0) fail("stdout");
    bytes += n;
    length -= n;
  }
}

/*
 * lines FIFO NAME COUNT BATCHES MS: writes COUNT numbered lines of 100 bytes, in blocks that end inside a line as a full
 * stdio buffer does; stamps and sleeps; again, BATCHES times; then waits.
 */
static void lines(char **args) {
  static char block[CHUNK + LINE];
  unsigned count = atoi(args[2]), batches = atoi(args[3]);
  char line[LINE];
  first_line(line, args[1]);
  for (unsigned batch = 0; batch < batches; batch++) {
    size_t filled = 0;
    for (unsigned i = 0; i < count; i++) {
      memcpy(block + filled, line, LINE);
      count_up(line);
      filled += LINE;
      if (filled < CHUNK) continue;
      write_all(block, CHUNK);
      filled -= CHUNK;
      memcpy(block, block + CHUNK, filled);
    }
    write_all(block, filled);
    close(stamp(args[0], args[1], now()));
    usleep(atoi(args[4]) * 1000);
  }
  for (;;) pause();
}

struct tally {
  unsigned daemons, expected[MAX_DAEMONS];
  long good, torn, reordered, bare, other;
  int64_t first, last;
  char filling[LINE];
};

/* One line of the init's output, without its newline: holds it exactly one whole line of a daemon? */
static void examine(struct tally *t, const char *line, size_t length) {
  const char *at = memchr(line, '<', length);
  if (!at) {
    if (memchr(line, '>', length) || memmem(line, length, "xxxx", 4)) t->torn++;
    else t->other++;
    return;
  }
  size_t left = length - (at - line);
  unsigned daemon = left > 2 ? (unsigned)(at[2] - '1') : MAX_DAEMONS;
  if (left < LINE - 1 || daemon >= t->daemons || memchr(at + 1, '<', left - 1)) {
    t->torn++;
    return;
  }
  unsigned sequence = 0;
  for (int i = DIGITS; i < FILLING - 1; i++) sequence = sequence * 10 + (at[i] - '0');
  if (at[1] != 'd' || memcmp(at + FILLING, t->filling, LINE - 1 - FILLING)) {
    t->torn++;
    return;
  }
  char name[2] = {'d', at[2]};
  if (!memmem(line, at - line, name, 2)) t->bare++;
  if (sequence < t->expected[daemon]) t->reordered++;
  else t->expected[daemon] = sequence + 1;
  t->good++;
}

/*
 * check DAEMONS LINES IDLE_MS PROGRAM ARGS…: runs an init with its stdout on a pipe and reads that until daemons d1…dN
 * have each been heard LINES times, or nothing has come for IDLE_MS; kills the init; prints what it saw as JSON.
 */
static void check(char **args) {
  static char buffer[4 * CHUNK];
  struct tally t = {.daemons = atoi(args[0])};
  char model[LINE];
  first_line(model, "d1");
  memcpy(t.filling, model + FILLING, LINE - 1 - FILLING);
  long wanted = (long)t.daemons * atol(args[1]);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC)) fail("pipe");
  pid_t init = fork();
  if (init < 0) fail("fork");
  if (init == 0) {
    setsid();
    dup2(ends[1], 1);
    execvp(args[3], args + 3);
    fail(args[3]);
  }
  close(ends[1]);
  size_t filled = 0;
  struct pollfd poller = {.fd = ends[0], .events = POLLIN};
  while (t.good < wanted) {
    int all_heard = t.good + t.torn >= wanted;
    if (poll(&poller, 1, all_heard ? 200 : atoi(args[2])) <= 0) break;
    ssize_t n = read(ends[0], buffer + filled, sizeof buffer - filled);
    if (n <= 0) break;
    int64_t time = now();
    long before = t.good;
    filled += n;
    char *line = buffer, *end;
    while ((end = memchr(line, '\n', buffer + filled - line))) {
      examine(&t, line, end - line);
      line = end + 1;
    }
    if (t.good > before) {
      if (!t.first) t.first = time;
      t.last = time;
    }
    filled -= line - buffer;
    if (filled == sizeof buffer) filled = 0, t.torn++;
    memmove(buffer, line, filled);
  }
  kill(-init, SIGKILL);
  printf("{\"good\":%ld,\"wanted\":%ld,\"torn\":%ld,\"reordered\":%ld,\"bare\":%ld,\"other\":%ld,\"ns\":%lld}\n", t.good, wanted,
         t.torn, t.reordered, t.bare, t.other, (long long)(t.last - t.first));
  exit(0);
}

struct grave {
  atomic_int dead, open;
  atomic_llong last;
};

static void die(struct grave *grave) {
  long long time = now(), seen = atomic_load(&grave->last);
  while (time > seen && !atomic_compare_exchange_weak(&grave->last, &seen, time)) continue;
  atomic_fetch_add(&grave->dead, 1);
  _exit(0);
}

/*
 * orphans FIFO NAME COUNT storm|once: makes COUNT processes whose parent is gone. "storm": one after the other, as fast as
 * it can, each dying at once. "once": all live first, then die together. Stamps the death of the last one as LAST, waits.
 */
static void orphans(char **args, int64_t started) {
  stamp(args[0], args[1], started);
  int count = atoi(args[2]), once = !strcmp(args[3], "once"), gate[2];
  struct grave *grave = mmap(NULL, sizeof *grave, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (grave == MAP_FAILED || pipe2(gate, O_CLOEXEC)) fail("orphans");
  usleep(300000);
  stamp(args[0], "first", now());
  for (int i = 0; i < count; i++) {
    pid_t parent = fork();
    if (parent < 0) fail("fork");
    if (parent == 0) {
      pid_t orphan = fork();
      if (orphan < 0) fail("fork");
      if (orphan > 0) _exit(0);
      if (once) {
        char byte;
        close(gate[1]);
        if (read(gate[0], &byte, 1) < 0) _exit(1);
      }
      die(grave);
    }
    waitpid(parent, NULL, 0);
  }
  if (once) stamp(args[0], "gate", now());
  close(gate[1]);
  while (atomic_load(&grave->dead) < count) usleep(200);
  stamp(args[0], "last", atomic_load(&grave->last));
  for (;;) pause();
}

static int is_zombie(const char *pid) {
  char path[32], text[256];
  snprintf(path, sizeof path, "/proc/%s/stat", pid);
  int fd = open(path, O_RDONLY);
  if (fd < 0) return 0;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return 0;
  text[n] = 0;
  char *end = strrchr(text, ')');
  return end && end[2] == 'Z';
}

/* zombies PID: every millisecond one line "NS COUNT" whenever the number of the process's zombie children has changed. */
static void zombies(char **args) {
  static char text[1 << 20];
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/task/%s/children", args[0], args[0]);
  for (int before = -1;;) {
    int fd = open(path, O_RDONLY);
    if (fd < 0) exit(0);
    size_t filled = 0;
    ssize_t n;
    while (filled < sizeof text - 1 && (n = read(fd, text + filled, sizeof text - 1 - filled)) > 0) filled += n;
    close(fd);
    text[filled] = 0;
    int count = 0;
    for (char *pid = strtok(text, " "); pid; pid = strtok(NULL, " ")) count += is_zombie(pid);
    int64_t time = now();
    if (count != before) {
      char line[64];
      int length = snprintf(line, sizeof line, "%lld %d\n", (long long)time, count);
      if (write(1, line, length) != length) exit(0);
      before = count;
    }
    usleep(1000);
  }
}

/* hold FILE: maps every page of the file once more, so that none of it counts as private to whoever else maps it. */
static void hold(char **args) {
  struct stat s;
  int fd = open(args[0], O_RDONLY);
  if (fd < 0 || fstat(fd, &s)) fail(args[0]);
  volatile const char *pages = mmap(NULL, s.st_size, PROT_READ, MAP_SHARED, fd, 0);
  if (pages == MAP_FAILED) fail(args[0]);
  for (off_t i = 0; i < s.st_size; i += 4096) (void)pages[i];
  puts("held");
  fflush(stdout);
  for (;;) pause();
}

/* cost PROGRAM ARGS…: runs it once, prints "NS PEAK_RSS_KIB CODE" (the largest of it and its children). */
static void cost(char **args) {
  extern char **environ;
  pid_t pid;
  struct rusage usage;
  int status;
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
  int64_t from = now();
  if ((errno = posix_spawnp(&pid, args[0], &quiet, NULL, args, environ))) fail(args[0]);
  if (wait4(pid, &status, 0, &usage) < 0) fail("wait4");
  int64_t took = now() - from;
  printf("%lld %ld %d\n", (long long)took, usage.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  exit(0);
}

int main(int argc, char **argv) {
  int64_t started = now();
  const char *verb = argc > 2 ? argv[1] : "";
  char **args = argv + 2;
  if (!strcmp(verb, "daemon")) idle(args, started);
  if (!strcmp(verb, "flash")) flash(args, started);
  if (!strcmp(verb, "exec")) become(args);
  if (!strcmp(verb, "lines")) lines(args);
  if (!strcmp(verb, "check")) check(args);
  if (!strcmp(verb, "orphans")) orphans(args, started);
  if (!strcmp(verb, "zombies")) zombies(args);
  if (!strcmp(verb, "hold")) hold(args);
  if (!strcmp(verb, "cost")) cost(args);
  fputs("usage: mark daemon|flash|exec|lines|check|orphans|zombies|hold|cost ARGS\n", stderr);
  return 2;
}
