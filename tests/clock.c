/* To be preloaded: the wall clock is a day on, and goes back an hour at second BACK of the clock that only runs forward. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    struct timespec forward;
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int error = real(clock, now);
    if (clock == CLOCK_REALTIME && !error && !real(CLOCK_MONOTONIC, &forward))
        now->tv_sec += 86400 - (forward.tv_sec < BACK ? 0 : 3600);
    return error;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    int error = clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return error;
}

time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}
