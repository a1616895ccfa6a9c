#ifndef POSTRIDER_CSQLITE_SHIM_H
#define POSTRIDER_CSQLITE_SHIM_H
#include <sqlite3.h>
/* What takes a varying number of arguments, which Swift cannot call. */
static inline int postrider_sqlite3_config_int(int option, int value) { return sqlite3_config(option, value); }
#endif
