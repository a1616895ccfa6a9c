#ifndef POSTRIDER_CALLOCATOR_SHIM_H
#define POSTRIDER_CALLOCATOR_SHIM_H
/* mallopt(3), which Swift's own module of the C library leaves out. */
#include <malloc.h>
#endif
