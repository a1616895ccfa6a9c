#ifndef POSTRIDER_CRESOLVER_SHIM_H
#define POSTRIDER_CRESOLVER_SHIM_H
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <string.h>

enum postrider_records {
    POSTRIDER_RECORDS_UNKNOWN,
    POSTRIDER_RECORDS_NONE,
    POSTRIDER_RECORDS_NO_DOMAIN,
    POSTRIDER_RECORDS_SOME,
    /* MX records that all say that the domain takes no mail (RFC 7505). */
    POSTRIDER_RECORDS_NULL
};

/* One question to the resolver; the answer's bytes, or -1 and a reason of netdb.h. In C because the resolver's state is a
   structure of bit fields, unions and macros that Swift cannot import. `server` (network order) and `port` are a name
   server to ask instead of the system's; port 0 asks the system's. */
static inline int postrider_ask(const char *name, int type, int seconds, unsigned int server, unsigned short port,
                                unsigned char *answer, int size, int *reason) {
    struct __res_state state;
    memset(&state, 0, sizeof state);
    *reason = NETDB_INTERNAL;
    if (res_ninit(&state) != 0) return -1;
    state.retrans = seconds;
    state.retry = 1;
    /* A name is asked for as it is: never with the domains of this machine behind it, and not looked up in its files. */
    state.options &= ~(unsigned long)(RES_DNSRCH | RES_DEFNAMES);
    int known = state.nscount;
    if (port != 0) {
        state.nscount = 1;
        memset(&state.nsaddr_list[0], 0, sizeof state.nsaddr_list[0]);
        state.nsaddr_list[0].sin_family = AF_INET;
        state.nsaddr_list[0].sin_port = htons(port);
        state.nsaddr_list[0].sin_addr.s_addr = server;
    }
    int length = res_nquery(&state, name, ns_c_in, type, answer, size);
    *reason = state.res_h_errno;
    /* What the system's IPv6 servers stand in is freed for as many as are counted. */
    if (state.nscount < known) state.nscount = known;
    res_nclose(&state);
    return length;
}

/* Whether a domain has records of a type; `server` and `port` as above. */
static inline enum postrider_records postrider_query(const char *domain, int type, int seconds, unsigned int server,
                                                     unsigned short port) {
    unsigned char answer[NS_MAXMSG];
    int error;
    int length = postrider_ask(domain, type, seconds, server, port, answer, sizeof answer, &error);
    if (length < 0) {
        if (error == HOST_NOT_FOUND) return POSTRIDER_RECORDS_NO_DOMAIN;
        return error == NO_DATA ? POSTRIDER_RECORDS_NONE : POSTRIDER_RECORDS_UNKNOWN;
    }
    ns_msg message;
    if (ns_initparse(answer, length, &message) != 0) return POSTRIDER_RECORDS_UNKNOWN;
    enum postrider_records found = POSTRIDER_RECORDS_NONE;
    for (int index = 0; index < ns_msg_count(message, ns_s_an); index++) {
        ns_rr record;
        if (ns_parserr(&message, ns_s_an, index, &record) != 0) return POSTRIDER_RECORDS_UNKNOWN;
        if (ns_rr_type(record) != (ns_type)type) continue;
        /* Two bytes of preference, then the name; the root is one byte of zero. */
        if (type != ns_t_mx || (ns_rr_rdlen(record) > 2 && ns_rr_rdata(record)[2] != 0)) return POSTRIDER_RECORDS_SOME;
        found = POSTRIDER_RECORDS_NULL;
    }
    return found;
}
#endif
