#ifndef POSTRIDER_CLIBMILTER_SHIM_H
#define POSTRIDER_CLIBMILTER_SHIM_H
/* Before mfapi.h: without it the header typedefs bool to int. */
#include <stdbool.h>
/* The numbers of the milter protocol: rights (SMFIF_*) and steps (SMFIP_*). The library itself is not linked: see
   Documentation/architecture.md. */
#include <libmilter/mfapi.h>
#endif
