#ifndef POSTRIDER_CLIBMILTER_SHIM_H
#define POSTRIDER_CLIBMILTER_SHIM_H
/* Before mfapi.h: without it the header typedefs bool to int. */
#include <stdbool.h>
#include <libmilter/mfapi.h>
/* libmilter logs with syslog(3) only; openlog(3) sets the tag. */
#include <syslog.h>
/* mallopt(3): the memory of the threads that libmilter starts and ends. */
#include <malloc.h>
#endif
