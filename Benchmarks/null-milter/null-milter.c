/*
 * null-milter: what libmilter itself costs.
 *
 * Has no rights to modify, leaves out the answers that milters usually leave out (connection, greeting, header fields), and
 * returns from every callback at once, keeping nothing. It answers MAIL and DATA, which Postrider's milter has taught itself
 * not to. Postrider speaks the protocol without libmilter: a Postfix in front of it is compared with one in front of the least that
 * a filter over the library costs.
 *
 *   cc -O2 -Wall -Wextra -o null-milter null-milter.c -lmilter -lpthread
 *   ./null-milter unix:/var/spool/postfix/null/milter.sock
 *
 * The socket's mode comes from the umask, which is cleared: anybody may connect. For a benchmark machine only.
 * Ends on SIGTERM, within five seconds (libmilter looks at its stop flag no sooner).
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include <libmilter/mfapi.h>

#define STEPS_WANTED \
    (SMFIP_NOUNKNOWN | SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_SKIP | SMFIP_HDR_LEADSPC)

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long offered_actions, unsigned long offered_steps,
                             unsigned long spare2, unsigned long spare3, unsigned long *actions, unsigned long *steps,
                             unsigned long *out2, unsigned long *out3)
{
    (void) ctx;
    (void) offered_actions;
    (void) spare2;
    (void) spare3;
    *actions = SMFIF_NONE;
    *steps = offered_steps & STEPS_WANTED;
    *out2 = 0;
    *out3 = 0;
    return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *name, _SOCK_ADDR *address)
{
    (void) ctx;
    (void) name;
    (void) address;
    return SMFIS_NOREPLY;
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
    (void) ctx;
    (void) name;
    return SMFIS_NOREPLY;
}

static sfsistat on_envelope(SMFICTX *ctx, char **arguments)
{
    (void) ctx;
    (void) arguments;
    return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    (void) ctx;
    (void) name;
    (void) value;
    return SMFIS_NOREPLY;
}

static sfsistat on_end_of_header(SMFICTX *ctx)
{
    (void) ctx;
    return SMFIS_NOREPLY;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *bytes, size_t count)
{
    (void) ctx;
    (void) bytes;
    (void) count;
    return SMFIS_CONTINUE;
}

static sfsistat on_phase(SMFICTX *ctx)
{
    (void) ctx;
    return SMFIS_CONTINUE;
}

static struct smfiDesc null_milter = {
    .xxfi_name = "null-milter",
    .xxfi_version = SMFI_VERSION,
    .xxfi_flags = SMFIF_NONE,
    .xxfi_negotiate = on_negotiate,
    .xxfi_connect = on_connect,
    .xxfi_helo = on_helo,
    .xxfi_envfrom = on_envelope,
    .xxfi_envrcpt = on_envelope,
    .xxfi_data = on_phase,
    .xxfi_header = on_header,
    .xxfi_eoh = on_end_of_header,
    .xxfi_body = on_body,
    .xxfi_eom = on_phase,
    .xxfi_abort = on_phase,
    .xxfi_close = on_phase,
};

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: null-milter SOCKETSPEC   (unix:/path or inet:port@host)\n");
        return EX_USAGE;
    }
    umask(0);
    if (smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(null_milter) != MI_SUCCESS ||
        smfi_setbacklog(1024) != MI_SUCCESS || smfi_opensocket(true) != MI_SUCCESS) {
        fprintf(stderr, "null-milter: cannot listen on %s; the reason is in syslog\n", argv[1]);
        return EX_UNAVAILABLE;
    }
    return smfi_main() == MI_SUCCESS ? EX_OK : EX_SOFTWARE;
}
