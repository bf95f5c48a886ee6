/* A wall clock that is off by so many seconds as a shared file says, for a process that preloads this.
 *
 * Only the time of day is shifted: what measures spans (CLOCK_MONOTONIC) runs as it is. Who waits until a time of day
 * waits as long as it meant to. The file holds one 64-bit integer, which may change while processes run.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define TIME_OF_DAY 1000000000 /* seconds: no machine is up for so long */

static const volatile int64_t *shift;

__attribute__((constructor)) static void open_shift(void) {
  int file = open(SHIFT_FILE, O_RDONLY | O_CLOEXEC); /* given to the compiler: not every program passes variables on */
  if (file < 0) return;
  void *found = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
  if (found != MAP_FAILED) shift = found;
  close(file);
}

static int64_t seconds(void) { return shift ? *shift : 0; }

int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = (int)syscall(SYS_clock_gettime, clock, now);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += seconds();
  return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *place) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (place) *place = now.tv_sec;
  return now.tv_sec;
}

static struct timespec unshifted(const struct timespec *until) {
  struct timespec real = *until;
  if (real.tv_sec > TIME_OF_DAY) real.tv_sec -= seconds();
  return real;
}

static void *next_of(const char *name) {
  void *found = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2"); /* dlsym finds the form of 2.2.5, which is another */
  return found ? found : dlsym(RTLD_NEXT, name);
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
  static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
  if (!real) real = next_of("pthread_cond_timedwait");
  struct timespec when = unshifted(until);
  return real(cond, mutex, &when);
}

int pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                           const struct timespec *until) {
  static int (*real)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "pthread_cond_clockwait");
  struct timespec when = unshifted(until);
  return real(cond, mutex, clock, &when);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
  static int (*real)(sem_t *, const struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "sem_timedwait");
  struct timespec when = unshifted(until);
  return real(semaphore, &when);
}
