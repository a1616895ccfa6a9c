#ifndef POSTRIDER_CLIBMILTER_SHIM_H
#define POSTRIDER_CLIBMILTER_SHIM_H
/* Before mfapi.h: without it the header typedefs bool to int. */
#include <stdbool.h>
#include <libmilter/mfapi.h>
/* libmilter logs with syslog(3) only; openlog(3) sets the tag. */
#include <syslog.h>
/* mallopt(3): the memory of the threads that libmilter starts and ends. */
#include <malloc.h>
#include <pthread.h>
#include <stddef.h>
/* The size of the stacks of threads made without attributes: pthread_setattr_default_np(3), which the header shows only with
   _GNU_SOURCE, and that a module cannot ask for behind the C library's own. */
int pthread_setattr_default_np(const pthread_attr_t *attributes);
static inline int postrider_set_default_stack(size_t bytes) {
    pthread_attr_t attributes;
    int failure = pthread_attr_init(&attributes);
    if (failure != 0) return failure;
    failure = pthread_attr_setstacksize(&attributes, bytes);
    if (failure == 0) failure = pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
    return failure;
}
#endif
