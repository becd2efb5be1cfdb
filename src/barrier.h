/* A barrier that spins for some hundreds of microseconds, longer than threads of a team usually wait for one another
 * and than it takes to wake one, and then sleeps. (Where it slept after some tens, one late thread made the others
 * sleep, and their waking made it late again.) OpenMP's own spins for milliseconds where it believes to have the cores
 * for itself: beside another busy process that burns the time the awaited thread needs, and an epoch of small batches
 * takes ten times as long. A sleeper, once woken, runs at once. */
#ifndef FASTSVM_BARRIER_H
#define FASTSVM_BARRIER_H

#if defined(_OPENMP) && defined(__GNUC__) && !defined(_WIN32)
#include <pthread.h>

#define FASTSVM_SPINS 5000

#if defined(__x86_64__) || defined(__i386__)
#define FASTSVM_RELAX() __builtin_ia32_pause()
#else
#define FASTSVM_RELAX() __asm__ __volatile__("" ::: "memory")
#endif

typedef struct {
    int n_threads, arrived, generation, sleepers;
    pthread_mutex_t mutex;
    pthread_cond_t condition;
} fastsvm_barrier;

#define FASTSVM_BARRIER {1, 0, 0, 0, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER}

static inline void fastsvm_wait(fastsvm_barrier *team) {
    if (team->n_threads == 1) return;
    const int generation = __atomic_load_n(&team->generation, __ATOMIC_RELAXED);
    if (__atomic_add_fetch(&team->arrived, 1, __ATOMIC_ACQ_REL) == team->n_threads) {
        __atomic_store_n(&team->arrived, 0, __ATOMIC_RELAXED);
        /* In sequence with the sleeper's two steps below: it sees the new generation, or is seen here. */
        __atomic_store_n(&team->generation, generation + 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&team->sleepers, __ATOMIC_SEQ_CST)) {
            pthread_mutex_lock(&team->mutex);
            pthread_cond_broadcast(&team->condition);
            pthread_mutex_unlock(&team->mutex);
        }
        return;
    }
    for (int spins = 0; spins < FASTSVM_SPINS; spins++) {
        if (__atomic_load_n(&team->generation, __ATOMIC_ACQUIRE) != generation) return;
        FASTSVM_RELAX();
    }
    pthread_mutex_lock(&team->mutex);
    __atomic_add_fetch(&team->sleepers, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&team->generation, __ATOMIC_SEQ_CST) == generation)
        pthread_cond_wait(&team->condition, &team->mutex);
    __atomic_sub_fetch(&team->sleepers, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&team->mutex);
}
#else
typedef struct {
    int n_threads;
} fastsvm_barrier;

#define FASTSVM_BARRIER {1}

static inline void fastsvm_wait(fastsvm_barrier *team) {
    (void)team;
#pragma omp barrier
}
#endif

#endif
