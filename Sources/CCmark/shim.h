#ifndef POSTRIDER_CCMARK_SHIM_H
#define POSTRIDER_CCMARK_SHIM_H
#include <cmark.h>
#endif
