/* A pool of helpers for short work. A thread of OpenMP's that has gone to sleep is waited for until it runs again, some
 * milliseconds on a virtual machine, and costs more than a step takes. Here helpers spin for some hundreds of
 * microseconds after work, then sleep; the caller begins at once, and shuts the door on helpers that have not come when
 * it is done.
 *
 * `door` holds, in one word, how many helpers may still come in and how many are inside. `busy` is held by the caller
 * whose work it is; a second caller at the same time works alone. A child of fork has no helpers and may make its own.
 */
#define _POSIX_C_SOURCE 200809L
#include "team.h"

#if defined(_OPENMP) && defined(__GNUC__) && !defined(_WIN32)
#include "barrier.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>

#define MAX_HELPERS 1023
#define PLACE ((uint64_t)1 << 32) /* one helper may come in; the lower half counts those inside */
#define MOMENT 20000              /* nanoseconds; helpers spin for longer */
#define LOAD(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER, bed = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t morning = PTHREAD_COND_INITIALIZER;
static uint64_t door;
static int n_helpers, sleepers;
static int64_t last_end; /* nanoseconds */
static void (*shared_work)(void *, int);
static void *shared_context;

/* Go in if there is a place, and work. */
static int join_in(void) {
    uint64_t seen = LOAD(&door);
    while (seen >= PLACE)
        if (__atomic_compare_exchange_n(&door, &seen, seen - PLACE + 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
            shared_work(shared_context, 1);
            __atomic_sub_fetch(&door, 1, __ATOMIC_SEQ_CST);
            return 1;
        }
    return 0;
}

static void *help(void *unused) {
    for (;;) {
        for (int spins = 0; spins < FASTSVM_SPINS; spins++) {
            if (join_in()) spins = 0;
            FASTSVM_RELAX();
        }
        pthread_mutex_lock(&bed);
        __atomic_add_fetch(&sleepers, 1, __ATOMIC_SEQ_CST); /* then looks; the caller lets in, then counts sleepers */
        while (LOAD(&door) < PLACE) pthread_cond_wait(&morning, &bed);
        __atomic_sub_fetch(&sleepers, 1, __ATOMIC_SEQ_CST);
        pthread_mutex_unlock(&bed);
    }
    return unused;
}

static void forget(void) {
    const pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    const pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    busy = bed = mutex;
    morning = condition;
    n_helpers = sleepers = 0;
    door = 0;
}

static void prepare(void) { pthread_atfork(NULL, NULL, forget); }

/* Helpers take no signals: those are for the threads that know what to do with them. */
static void hire(int wanted) {
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    if (n_helpers >= wanted) return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    while (n_helpers < wanted && !pthread_create(&thread, &attributes, help, NULL)) n_helpers++;
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

void fastsvm_team(int n_threads, int wake, void (*work)(void *context, int helper), void *context) {
    pthread_once(&once, prepare);
    if (n_threads < 2 || pthread_mutex_trylock(&busy)) {
        work(context, 0);
        return;
    }
    const int wanted = n_threads - 1 < MAX_HELPERS ? n_threads - 1 : MAX_HELPERS;
    hire(wanted);
    shared_work = work;
    shared_context = context;
    __atomic_store_n(&door, wanted * PLACE, __ATOMIC_SEQ_CST);
    if (LOAD(&sleepers) && (wake || now() - last_end < MOMENT)) {
        pthread_mutex_lock(&bed);
        pthread_cond_broadcast(&morning);
        pthread_mutex_unlock(&bed);
    }
    work(context, 0);
    __atomic_and_fetch(&door, PLACE - 1, __ATOMIC_SEQ_CST);
    for (int spins = 0; LOAD(&door); spins++) /* until those inside have done their last share */
        if (spins < FASTSVM_SPINS)
            FASTSVM_RELAX();
        else
            sched_yield();
    last_end = now();
    pthread_mutex_unlock(&busy);
}
#else
void fastsvm_team(int n_threads, int wake, void (*work)(void *context, int helper), void *context) {
    (void)n_threads, (void)wake;
    work(context, 0);
}
#endif
