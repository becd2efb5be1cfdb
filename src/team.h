/* Threads that share out work which any number of them can do, from one to all. */
#ifndef FASTSVM_TEAM_H
#define FASTSVM_TEAM_H

/* Calls `work(context, 0)` here, and meanwhile `work(context, 1)` on up to n_threads - 1 helpers; returns when all
 * calls have returned. A helper that comes too late is not waited for, and there may be none at all: `work` takes
 * shares until none is left, so that the caller alone would do everything. Where `wake` is 0 sleeping helpers are woken
 * only if the call before ended a moment ago, so that more are likely to follow. */
void fastsvm_team(int n_threads, int wake, void (*work)(void *context, int helper), void *context);

#endif
