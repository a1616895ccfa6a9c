#ifndef POSTRIDER_CSPAWN_SHIM_H
#define POSTRIDER_CSPAWN_SHIM_H
/* What the C library declares with _GNU_SOURCE alone, which Swift does not define; since glibc 2.34. */
#include <spawn.h>
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
#endif
