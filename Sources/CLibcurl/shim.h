#ifndef POSTRIDER_CLIBCURL_SHIM_H
#define POSTRIDER_CLIBCURL_SHIM_H
#include <curl/curl.h>

/* curl_easy_setopt and curl_easy_getinfo are variadic, which Swift does not import:
   one typed entry for each kind of argument. */
static inline CURLcode postrider_curl_set_long(CURL *h, CURLoption o, long v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode postrider_curl_set_offset(CURL *h, CURLoption o, curl_off_t v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode postrider_curl_set_string(CURL *h, CURLoption o, const char *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode postrider_curl_set_pointer(CURL *h, CURLoption o, void *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode postrider_curl_set_list(CURL *h, CURLoption o, struct curl_slist *v) { return curl_easy_setopt(h, o, v); }
typedef size_t (*postrider_curl_io)(char *, size_t, size_t, void *);
static inline CURLcode postrider_curl_set_io(CURL *h, CURLoption o, postrider_curl_io v) { return curl_easy_setopt(h, o, v); }
typedef int (*postrider_curl_progress)(void *, curl_off_t, curl_off_t, curl_off_t, curl_off_t);
static inline CURLcode postrider_curl_set_progress(CURL *h, CURLoption o, postrider_curl_progress v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode postrider_curl_get_long(CURL *h, CURLINFO i, long *v) { return curl_easy_getinfo(h, i, v); }
/* Called for every socket libcurl opens, so that we know a new connection from a reused one before its first reply. */
static inline CURLcode postrider_curl_set_sockopt(CURL *h, CURLoption o, curl_sockopt_callback v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode postrider_curl_get_socket(CURL *h, CURLINFO i, curl_socket_t *v) { return curl_easy_getinfo(h, i, v); }
/* Called with the address of every connection before its socket is made. */
static inline CURLcode postrider_curl_set_opensocket(CURL *h, CURLoption o, curl_opensocket_callback v) { return curl_easy_setopt(h, o, v); }
#endif
