#ifndef POSTRIDER_CLIBMILTER_SHIM_H
#define POSTRIDER_CLIBMILTER_SHIM_H
/* Before mfapi.h: without it the header typedefs bool to int. */
#include <stdbool.h>
#include <libmilter/mfapi.h>
/* libmilter logs with syslog(3) only; openlog(3) sets the tag. */
#include <syslog.h>
#endif
